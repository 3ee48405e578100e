/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The TCP load of the benchmarks; runs in or outside of a sandbox, prints one
 * JSON object.  NAME is resolved as any program does it.
 *
 *	netload bulk up|down NAME PORT STREAMS SECONDS
 *	netload connect NAME PORT COUNT PROCESSES SECONDS
 *		a connection, a request, its answer, close; COUNT a process at
 *most netload request NAME PORT COUNT SECONDS the same request COUNT times on
 *one connection netload hold NAME PORT COUNT opens COUNT connections, prints
 *"ready", waits for the end of stdin
 *
 * With BENCH_PROXY=ADDRESS:PORT each connection begins with a CONNECT to it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_PROCESSES 64
#define MAX_SAMPLES   200000
#define ROOM	      131072UL

struct target {
	struct sockaddr_in peer; /* the far end or the proxy */
	char connect[256];	 /* the CONNECT request, or empty */
	char request[256];
};

/* One for each process, in shared memory. */
struct tally {
	uint64_t bytes;
	uint32_t n;
	uint32_t ns[MAX_SAMPLES];
	uint32_t connect_ns[MAX_SAMPLES]; /* of ns until it was open */
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void resolve(struct target *t, const char *name, const char *port)
{
	struct addrinfo hints = { .ai_family = AF_INET,
				  .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	int rc = getaddrinfo(name, port, &hints, &found);

	if (rc != 0) {
		(void)fprintf(stderr, "netload: %s: %s\n", name,
			      gai_strerror(rc));
		exit(1);
	}
	memcpy(&t->peer, found->ai_addr, sizeof(t->peer));
	freeaddrinfo(found);
}

static void find_target(struct target *t, const char *name, const char *port)
{
	const char *proxy = getenv("BENCH_PROXY");
	char host[64] = "";
	char address[INET_ADDRSTRLEN];

	resolve(t, name, port);
	(void)snprintf(t->request, sizeof(t->request),
		       "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", name);
	t->connect[0] = '\0';
	if (!proxy || sscanf(proxy, "%63[^:]", host) != 1)
		return;
	(void)inet_ntop(AF_INET, &t->peer.sin_addr, address, sizeof(address));
	(void)snprintf(t->connect, sizeof(t->connect),
		       "CONNECT %s:%s HTTP/1.1\r\nHost: %s:%s\r\n\r\n", address,
		       port, address, port);
	resolve(t, host, proxy + strlen(host) + 1);
}

static void put(int fd, const char *text)
{
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text))
		die("send");
}

/* Reads until the end of an answer's header, and what comes with it. */
static void get_answer(int fd)
{
	char buf[1024];
	size_t have = 0;

	while (have < sizeof(buf) - 1) {
		ssize_t n = recv(fd, buf + have, sizeof(buf) - 1 - have, 0);

		if (n <= 0)
			die("recv");
		have += (size_t)n;
		buf[have] = '\0';
		if (strstr(buf, "\r\n\r\n"))
			break;
	}
	if (!strstr(buf, " 200 ")) {
		(void)fprintf(stderr, "netload: answered: %.60s\n", buf);
		exit(1);
	}
}

static int open_connection(const struct target *t)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd < 0)
		die("socket");
	if (connect(fd, (const struct sockaddr *)&t->peer, sizeof(t->peer)) < 0)
		die("connect");
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0)
		die("TCP_NODELAY");
	if (t->connect[0]) {
		put(fd, t->connect);
		get_answer(fd);
	}
	return fd;
}

static void put_sink(int fd, uint64_t end)
{
	char text[12] = "SINK";

	memcpy(text + 4, &end, 8);
	if (send(fd, text, sizeof(text), MSG_NOSIGNAL) != sizeof(text))
		die("send");
}

/* What the far end had read at the end; what was in buffers does not count. */
static uint64_t arrived(int fd)
{
	uint64_t bytes = 0;

	put(fd, "E"); /* no half-close: not every peer knows it */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval) { 10, 0 },
		       sizeof(struct timeval)) < 0 ||
	    recv(fd, &bytes, sizeof(bytes), MSG_WAITALL) != sizeof(bytes))
		die("count of the far end");
	return bytes;
}

static void bulk(const struct target *t, int up, uint64_t end,
		 struct tally *tally)
{
	static char room[ROOM];
	int fd = open_connection(t);

	if (up)
		put_sink(fd, end);
	else
		put(fd, "SRC");
	while (now_ns() < end) {
		ssize_t n = up ? send(fd, room, ROOM, MSG_NOSIGNAL)
			       : recv(fd, room, ROOM, 0);

		if (n <= 0)
			die(up ? "send" : "recv");
		tally->bytes += (uint64_t)n;
	}
	if (up)
		tally->bytes = arrived(fd);
}

static void connections(const struct target *t, uint32_t count, uint64_t end,
			struct tally *tally)
{
	while (tally->n < count && now_ns() < end) {
		uint64_t begin = now_ns();
		int fd = open_connection(t);

		tally->connect_ns[tally->n] = (uint32_t)(now_ns() - begin);
		put(fd, t->request);
		get_answer(fd);
		(void)close(fd);
		tally->ns[tally->n++] = (uint32_t)(now_ns() - begin);
	}
}

static void requests(const struct target *t, uint32_t count, uint64_t end,
		     struct tally *tally)
{
	int fd = open_connection(t);

	while (tally->n < count && now_ns() < end) {
		uint64_t begin = now_ns();

		put(fd, t->request);
		get_answer(fd);
		tally->ns[tally->n++] = (uint32_t)(now_ns() - begin);
	}
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Of all processes together, in microseconds; 0 without samples. */
static void print_percentiles(const struct tally *tally, int processes,
			      const char *prefix, int connect)
{
	uint32_t *all = malloc(sizeof(*all) * MAX_SAMPLES * (size_t)processes);
	size_t n = 0;

	if (!all)
		die("malloc");
	for (int i = 0; i < processes; i++) {
		memcpy(all + n, connect ? tally[i].connect_ns : tally[i].ns,
		       tally[i].n * sizeof(*all));
		n += tally[i].n;
	}
	qsort(all, n, sizeof(*all), by_value);
	(void)printf(", \"%sp50_us\": %.2f, \"%sp99_us\": %.2f", prefix,
		     n ? all[n / 2] / 1e3 : 0., prefix,
		     n ? (double)all[n * 99 / 100] / 1e3 : 0.);
	free(all);
}

static void print(const struct tally *tally, int processes, uint64_t ns)
{
	uint64_t bytes = 0;
	size_t n = 0;

	for (int i = 0; i < processes; i++) {
		bytes += tally[i].bytes;
		n += tally[i].n;
	}
	(void)printf("{\"seconds\": %.6f, \"bytes\": %llu, \"count\": %zu",
		     (double)ns / 1e9, (unsigned long long)bytes, n);
	print_percentiles(tally, processes, "", 0);
	print_percentiles(tally, processes, "connect_", 1);
	(void)puts("}");
}

static uint32_t bounded(const char *text, uint32_t most)
{
	unsigned long n = strtoul(text, NULL, 10);

	return n > most ? most : (uint32_t)n;
}

static int hold(const struct target *t, uint32_t count)
{
	struct rlimit files;
	char c;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	for (uint32_t i = 0; i < count; i++) {
		int fd = open_connection(t);

		put(fd, t->request);
		get_answer(fd);
	}
	(void)puts("ready");
	(void)fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	return 0;
}

/* mode of argv[1]; the rest is NAME PORT and the mode's own. */
static void work(int mode, int up, char **rest, const struct target *t,
		 struct tally *tally, uint64_t begin)
{
	const char *seconds = rest[mode == 'r' || mode == 'b' ? 3 : 4];
	uint64_t end = begin + (uint64_t)(strtod(seconds, NULL) * 1e9);

	if (mode == 'b')
		bulk(t, up, end, tally);
	else if (mode == 'c')
		connections(t, bounded(rest[2], MAX_SAMPLES), end, tally);
	else
		requests(t, bounded(rest[2], MAX_SAMPLES), end, tally);
}

static int run(int mode, int up, char **rest)
{
	struct target t;
	int processes = 1;
	struct tally *tally;
	uint64_t begin;
	int bad = 0;

	find_target(&t, rest[0], rest[1]);
	if (mode == 'h')
		return hold(&t, bounded(rest[2], 20000));
	if (mode != 'r')
		processes =
			(int)bounded(rest[mode == 'b' ? 2 : 3], MAX_PROCESSES);
	tally = mmap(NULL, sizeof(*tally) * (size_t)processes,
		     PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tally == MAP_FAILED)
		die("mmap");
	begin = now_ns();
	for (int i = 0; i < processes; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (pid == 0) {
			work(mode, up, rest, &t, &tally[i], begin);
			_exit(0);
		}
	}
	for (int i = 0; i < processes; i++) {
		int status;

		if (wait(&status) < 0 || status != 0)
			bad = 1;
	}
	print(tally, processes, now_ns() - begin);
	return bad;
}

int main(int argc, char **argv)
{
	int mode = argc > 1 ? argv[1][0] : 0;

	if (mode == 'b' && argc == 7)
		return run(mode, argv[2][0] == 'u', argv + 3);
	if ((mode == 'c' && argc == 7) || (mode == 'r' && argc == 6) ||
	    (mode == 'h' && argc == 5))
		return run(mode, 0, argv + 2);
	(void)fputs("usage: netload bulk|connect|request|hold ...\n", stderr);
	return 2;
}
