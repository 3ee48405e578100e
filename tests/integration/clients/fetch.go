// SPDX-License-Identifier: GPL-2.0-or-later

// fetch URL: looks the host up with Go's own resolver (built without cgo), then
// fetches. Prints the addresses on one line and the body.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"sort"
	"time"
)

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func main() {
	u, err := url.Parse(os.Args[1])
	if err != nil {
		fail(err)
	}
	addresses, err := net.LookupHost(u.Hostname())
	if err != nil {
		fail(err)
	}
	sort.Strings(addresses)
	fmt.Println(addresses)
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Get(u.String())
	if err != nil {
		fail(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		fail(err)
	}
	os.Stdout.Write(body)
}
