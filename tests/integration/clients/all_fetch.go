// SPDX-License-Identifier: GPL-2.0-or-later

// all_fetch HOST [SIZE]: what net/http does, told in lines.
package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"
)

var client = http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
	ExpectContinueTimeout: 200 * time.Millisecond, ForceAttemptHTTP2: true,
	MaxConnsPerHost: 1}}

func ask(method, url string, body io.Reader, headers ...string) {
	request, err := http.NewRequest(method, url, body)
	if err != nil {
		panic(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	if request.Header.Get("Trailer") != "" {
		request.Header.Del("Trailer")
		request.Trailer = http.Header{"X-Sum": []string{"42"}}
		request.ContentLength = -1
	}
	response, err := client.Do(request)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	text, err := io.ReadAll(response.Body)
	response.Body.Close()
	fmt.Println(response.Proto, response.StatusCode, len(text), response.Trailer, err)
	if len(text) < 1000 {
		fmt.Print(string(text))
	}
}

func main() {
	web := "http://" + os.Args[1]
	if len(os.Args) < 3 {
		ask("GET", web+"/", nil)
		return
	}
	size, err := strconv.Atoi(os.Args[2])
	if err != nil {
		panic(err)
	}
	data := func() io.Reader { return bytes.NewReader(make([]byte, size)) }
	stream := func() io.Reader { return io.MultiReader(data(), data()) }
	for _, base := range []string{web, "https://" + os.Args[1]} {
		ask("GET", base+"/", nil)
		ask("HEAD", base+"/random", nil)
		ask("GET", base+"/random", nil, "Range", "bytes=3-700")
		ask("PUT", base+"/upload", data(), "Expect", "100-continue")
		ask("POST", base+"/upload", stream())
	}
	ask("GET", web+":8080/redirect", nil)
	ask("PUT", web+":8080/again", data())
	ask("GET", web+":8080/trailers", nil)
	ask("POST", web+":8080/echo", stream(), "Trailer", "X-Sum")
	ask("POST", web+":8080/echo", stream(), "X-Note", "caf\u00e9")
	ask("GET", web+":8080/events", nil)
	fmt.Println("done")
}
