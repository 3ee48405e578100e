/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages of every size, descriptors, and what a peer that breaks the
 * protocol brings about: no descriptor may stay behind. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fd.h"
#include "common/ipc.h"

#define BIG 20000

struct pair {
	int fds[2];
	size_t n_open; /* in the process, with this pair */
};

static size_t count_open(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	assert_int_equal(closedir(dir), 0);
	return n;
}

static int setup(void **state)
{
	struct pair *p = calloc(1, sizeof(*p));

	if (!p || ipc_pair(p->fds, NULL) < 0)
		return -1;
	p->n_open = count_open();
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct pair *p = *state;

	fd_close(&p->fds[0]);
	fd_close(&p->fds[1]);
	free(p);
	return 0;
}

static void assert_no_leak(const struct pair *p)
{
	assert_int_equal(count_open(), p->n_open);
}

static void assert_cloexec(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	assert_true(flags >= 0 && (flags & FD_CLOEXEC));
}

static bool same_file(int a, int b)
{
	char byte;

	/* Only a duplicate of the write end feeds this read end. */
	return write(a, "x", 1) == 1 && read(b, &byte, 1) == 1 && byte == 'x';
}

static void test_pair(void **state)
{
	struct pair *p = *state;

	for (size_t i = 0; i < 2; i++) {
		assert_cloexec(p->fds[i]);
		assert_false(fcntl(p->fds[i], F_GETFL) & O_NONBLOCK);
	}
}

/* Messages keep their bounds, whatever is queued behind them. */
static void test_sizes(void **state)
{
	static const size_t sizes[] = { 1, 7, 8, 4096, BIG, 1 };
	static uint8_t out[BIG], in[BIG];
	struct pair *p = *state;

	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 7);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		assert_int_equal(
			ipc_send(p->fds[0], out, sizes[i], NULL, 0, false), 0);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		pid_t sender = 4711;

		memset(in, 0, sizeof(in));
		assert_int_equal(ipc_recv(p->fds[1], in, sizeof(in), NULL, NULL,
					  &sender, false),
				 sizes[i]);
		assert_memory_equal(in, out, sizes[i]);
		assert_int_equal(sender, 0); /* no SO_PASSCRED */
	}
	assert_int_equal(
		ipc_recv(p->fds[1], in, sizeof(in), NULL, NULL, NULL, false),
		-EAGAIN);
}

static void test_fds(void **state)
{
	struct pair *p = *state;
	int out[IPC_FDS_MAX], in[IPC_FDS_MAX];
	size_t n_in = IPC_FDS_MAX;
	int pipe_fds[2];
	char c = 'm';

	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	for (size_t i = 0; i < IPC_FDS_MAX; i++)
		out[i] = pipe_fds[1];
	assert_int_equal(ipc_send(p->fds[0], &c, 1, out, IPC_FDS_MAX, false),
			 0);
	assert_int_equal(ipc_recv(p->fds[1], &c, 1, in, &n_in, NULL, false), 1);
	assert_int_equal(n_in, IPC_FDS_MAX);
	for (size_t i = 0; i < n_in; i++) {
		assert_cloexec(in[i]);
		assert_true(same_file(in[i], pipe_fds[0]));
		assert_int_equal(close(in[i]), 0);
	}

	/* Fewer than there is room for. */
	n_in = IPC_FDS_MAX;
	assert_int_equal(ipc_send(p->fds[0], &c, 1, out, 2, false), 0);
	assert_int_equal(ipc_recv(p->fds[1], &c, 1, in, &n_in, NULL, false), 1);
	assert_int_equal(n_in, 2);
	assert_int_equal(close(in[0]), 0);
	assert_int_equal(close(in[1]), 0);

	assert_int_equal(
		ipc_send(p->fds[0], &c, 1, out, IPC_FDS_MAX + 1, false),
		-EINVAL);
	assert_int_equal(close(pipe_fds[0]), 0);
	assert_int_equal(close(pipe_fds[1]), 0);
	assert_no_leak(p);
}

/* A message that is too long, with descriptors. */
static void test_truncated(void **state)
{
	struct pair *p = *state;
	int out[3] = { p->fds[0], p->fds[0], p->fds[1] };
	int in[IPC_FDS_MAX];
	size_t n_in = IPC_FDS_MAX;
	char msg[9] = "12345678";

	assert_int_equal(ipc_send(p->fds[0], msg, 9, out, 3, false), 0);
	assert_int_equal(ipc_recv(p->fds[1], msg, 8, in, &n_in, NULL, false),
			 -EPROTO);
	assert_int_equal(n_in, 0);
	assert_no_leak(p);

	/* The message is gone, the next one arrives. */
	assert_int_equal(ipc_send(p->fds[0], msg, 8, NULL, 0, false), 0);
	assert_int_equal(ipc_recv(p->fds[1], msg, 8, NULL, NULL, NULL, false),
			 8);
}

/* More descriptors than the receiver has room for, or wants at all. */
static void test_too_many_fds(void **state)
{
	struct pair *p = *state;
	int out[4] = { p->fds[0], p->fds[0], p->fds[1], p->fds[1] };
	int in[4];
	char c = 'm';

	for (size_t room = 0; room < 4; room++) {
		size_t n_in = room;

		assert_int_equal(ipc_send(p->fds[0], &c, 1, out, 4, false), 0);
		assert_int_equal(
			ipc_recv(p->fds[1], &c, 1, in, &n_in, NULL, false),
			-EPROTO);
		assert_int_equal(n_in, 0);
		assert_no_leak(p);
	}
	assert_int_equal(ipc_send(p->fds[0], &c, 1, out, 4, false), 0);
	assert_int_equal(ipc_recv(p->fds[1], &c, 1, NULL, NULL, NULL, false),
			 -EPROTO);
	assert_no_leak(p);
}

/* A peer that does not use ipc_send() may pass up to 253 (SCM_MAX_FD). */
static void send_raw(int fd, size_t n_fds)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(253 * sizeof(int))];
	} ctl = { .buf = { 0 } };
	char c = 'm';
	struct iovec iov = { .iov_base = &c, .iov_len = 1 };
	struct msghdr mh = { .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = ctl.buf,
			     .msg_controllen =
				     CMSG_SPACE(n_fds * sizeof(int)) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&mh);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
	for (size_t i = 0; i < n_fds; i++)
		memcpy(CMSG_DATA(h) + i * sizeof(int), &fd, sizeof(fd));
	assert_int_equal(sendmsg(fd, &mh, 0), 1);
}

static void test_flood_of_fds(void **state)
{
	static const size_t counts[] = { 17, 18, 23, 24, 25, 26, 100, 253 };
	struct pair *p = *state;
	int in[IPC_FDS_MAX];
	char c;

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		size_t n_in = IPC_FDS_MAX;

		send_raw(p->fds[0], counts[i]);
		assert_int_equal(
			ipc_recv(p->fds[1], &c, 1, in, &n_in, NULL, false),
			-EPROTO);
		assert_int_equal(n_in, 0);
		assert_no_leak(p);
	}
}

/* An empty message reads like the end, so nothing may come with it. */
static void test_empty_with_fds(void **state)
{
	struct pair *p = *state;
	int in[IPC_FDS_MAX];
	size_t n_in = IPC_FDS_MAX;
	ssize_t n;
	char c;

	assert_int_equal(ipc_send(p->fds[0], "", 0, &p->fds[0], 1, false), 0);
	n = ipc_recv(p->fds[1], &c, 1, in, &n_in, NULL, false);
	assert_true(n <= 0);
	assert_int_equal(n_in, 0);
	assert_no_leak(p);
}

static void test_end_of_file(void **state)
{
	struct pair *p = *state;
	int in[1];
	size_t n_in = 1;
	char c = 'm';

	assert_int_equal(ipc_send(p->fds[0], &c, 1, NULL, 0, false), 0);
	fd_close(&p->fds[0]);
	assert_int_equal(ipc_recv(p->fds[1], &c, 1, in, &n_in, NULL, true), 1);
	assert_int_equal(n_in, 0);
	n_in = 1;
	assert_int_equal(ipc_recv(p->fds[1], &c, 1, in, &n_in, NULL, true), 0);
	assert_int_equal(n_in, 0);
	/* An error, and no SIGPIPE, which would end the test. */
	assert_int_equal(ipc_send(p->fds[1], &c, 1, NULL, 0, true), -EPIPE);
	assert_int_equal(ipc_recv(-1, &c, 1, NULL, NULL, NULL, false), -EBADF);
	assert_int_equal(ipc_send(-1, &c, 1, NULL, 0, false), -EBADF);
}

static void test_queue_full(void **state)
{
	static char block[4096];
	struct pair *p = *state;
	size_t sent = 0;
	int rc;

	do
		rc = ipc_send(p->fds[0], block, sizeof(block), NULL, 0, false);
	while (rc == 0 && ++sent < 100000);
	assert_int_equal(rc, -EAGAIN);
	assert_true(sent > 0);
	assert_int_equal(ipc_recv(p->fds[1], block, sizeof(block), NULL, NULL,
				  NULL, false),
			 sizeof(block));
	while (--sent > 0)
		assert_int_equal(ipc_recv(p->fds[1], block, sizeof(block), NULL,
					  NULL, NULL, true),
				 sizeof(block));
	assert_int_equal(ipc_send(p->fds[0], block, 1, NULL, 0, false), 0);
}

/* The kernel vouches for the sender, also beside descriptors. */
static void test_credentials(void **state)
{
	struct pair *p = *state;
	int yes = 1;
	int status;
	pid_t pid;

	assert_int_equal(setsockopt(p->fds[1], SOL_SOCKET, SO_PASSCRED, &yes,
				    sizeof(yes)),
			 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int fds[IPC_FDS_MAX];

		for (size_t i = 0; i < IPC_FDS_MAX; i++)
			fds[i] = p->fds[0];
		_exit(ipc_send(p->fds[0], "a", 1, NULL, 0, true) != 0 ||
		      ipc_send(p->fds[0], "b", 1, fds, IPC_FDS_MAX, true) != 0);
	}
	for (size_t i = 0; i < 2; i++) {
		int in[IPC_FDS_MAX];
		size_t n_in = IPC_FDS_MAX;
		pid_t sender = 0;
		char c;

		assert_int_equal(
			ipc_recv(p->fds[1], &c, 1, in, &n_in, &sender, true),
			1);
		assert_int_equal(sender, pid);
		assert_int_equal(n_in, i == 0 ? 0 : IPC_FDS_MAX);
		while (n_in > 0)
			assert_int_equal(close(in[--n_in]), 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_no_leak(p);
}

/* What a peer said before it went counts, whatever it left unread. */
static void test_last_words(void **state)
{
	struct pair *p = *state;
	char c = 0;

	assert_int_equal(ipc_send(p->fds[0], "x", 1, NULL, 0, true), 0);
	assert_int_equal(ipc_send(p->fds[1], "y", 1, NULL, 0, true), 0);
	assert_int_equal(close(p->fds[1]), 0);
	p->fds[1] = -1;
	assert_int_equal(ipc_recv(p->fds[0], &c, 1, NULL, NULL, NULL, false),
			 1);
	assert_int_equal(c, 'y');
	assert_int_equal(ipc_recv(p->fds[0], &c, 1, NULL, NULL, NULL, false),
			 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define IPC_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
		IPC_TEST(test_pair),
		IPC_TEST(test_sizes),
		IPC_TEST(test_fds),
		IPC_TEST(test_truncated),
		IPC_TEST(test_too_many_fds),
		IPC_TEST(test_flood_of_fds),
		IPC_TEST(test_empty_with_fds),
		IPC_TEST(test_end_of_file),
		IPC_TEST(test_queue_full),
		IPC_TEST(test_credentials),
		IPC_TEST(test_last_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
