/* SPDX-License-Identifier: ISC */
/*
 * Before anything runs: would we start with this certificate and this key? The
 * parent, which reads neither, starts us for it and waits.
 */
#include <sys/socket.h>
#include <sys/types.h>

#include <openssl/x509v3.h>

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "base/log.h"
#include "check.h"
#include "imsg/imsg.h"
#include "keys.h"
#include "proc/sandbox.h"
#include "tls/certcheck.h"
#include "tls/chain.h"

#define FILES	16

static void	say(enum certcheck, const char *) __attribute__((noreturn));

static void
say(enum certcheck how, const char *line)
{
	size_t	len = strnlen(line, CERTCHECK_LINE);

	if (write(PARENT_FD, line, len) != (ssize_t)len)
		how = CERTCHECK_FAILED;
	_exit(how);
}

/* The files, as many as have come. */
static size_t
receive(int fd[CERTCHECK_FILES])
{
	union {
		struct cmsghdr	head;
		char		space[CMSG_SPACE(sizeof(int) *
				    CERTCHECK_FILES)];
	}		 control;
	char		 byte;
	struct iovec	 iov = { &byte, 1 };
	struct msghdr	 m = { .msg_iov = &iov, .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control) };
	struct cmsghdr	*c;
	size_t		 n;

	if (recvmsg(PARENT_FD, &m, MSG_CMSG_CLOEXEC) != 1 ||
	    (c = CMSG_FIRSTHDR(&m)) == NULL || c->cmsg_type != SCM_RIGHTS)
		return (0);
	n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fd, CMSG_DATA(c), n * sizeof(int));
	return (n);
}

static void
become(const char *user, const char *group)
{
	uid_t	uid = (uid_t)strtoul(user, NULL, 10);
	gid_t	gid = (gid_t)strtoul(group, NULL, 10);

	if (geteuid() != 0 || uid == 0)
		return;
	if (setgroups(1, &gid) == -1 || setresgid(gid, gid, gid) == -1 ||
	    setresuid(uid, uid, uid) == -1)
		say(CERTCHECK_FAILED, strerror(errno));
}

static STACK_OF(X509) *
chain_of(int fd, const char **why)
{
	STACK_OF(X509)	*chain = NULL;
	size_t		 len;
	char		*pem = chain_read(fd, &len, why);

	if (pem != NULL)
		chain = chain_parse(pem, len, why);
	freezero(pem, len);
	return (chain);
}

/*
 * As other members' tlsds look at it (tlsd/certs.c): signed by one of those in the
 * file, or in it itself; in time; for a server; with the member's name.
 */
static const char *
unbelieved(STACK_OF(X509) *chain, STACK_OF(X509) *trusted, const char *member)
{
	X509_STORE		*store = X509_STORE_new();
	X509_STORE_CTX		*ctx = X509_STORE_CTX_new();
	X509_VERIFY_PARAM	*how;
	const char		*why = "out of memory";

	if (store != NULL && ctx != NULL && chain_trust(store, trusted) == 0 &&
	    X509_STORE_CTX_init(ctx, store, sk_X509_value(chain, 0),
	    chain) == 1 && X509_STORE_CTX_set_default(ctx, "ssl_server") == 1) {
		how = X509_STORE_CTX_get0_param(ctx);
		X509_VERIFY_PARAM_set_hostflags(how,
		    X509_CHECK_FLAG_NO_WILDCARDS |
		    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
		if (X509_VERIFY_PARAM_set1_host(how, member, 0) == 1)
			why = X509_verify_cert(ctx) == 1 ? NULL :
			    X509_verify_cert_error_string(
			    X509_STORE_CTX_get_error(ctx));
	}
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	return (why);
}

static void
check_member(const char *path, int ca, const char *member)
{
	const char	*why;
	char		 line[CERTCHECK_LINE];
	STACK_OF(X509)	*trusted = chain_of(ca, &why);

	if (trusted == NULL) {
		snprintf(line, sizeof(line), "peer tls ca file: %s", why);
		say(CERTCHECK_WRONG, line);
	}
	if ((why = unbelieved(keys_chain(), trusted, member)) == NULL)
		return;
	snprintf(line, sizeof(line), "cert %.300s: other members will not "
	    "believe that this is member %s: %s", path, member, why);
	say(CERTCHECK_STRANGER, line);
}

void
check_main(int argc, char **argv)
{
	int		 fd[CERTCHECK_FILES];
	struct msg_cert	 in = { .kind = CERT_CHAIN };
	const char	*why, *member;
	size_t		 n;

	log_init("keyd", -1, 0);
	if (argc != 6)
		_exit(CERTCHECK_FAILED);
	member = argv[5];
	n = receive(fd);
	if (n != (member[0] != '\0' ? 3 : 2))
		say(CERTCHECK_FAILED, "the files did not come");
	become(argv[2], argv[3]);
	(void)sandbox_apply(ROLE_KEYD, NULL, FILES, 0);
	in.path = argv[4];
	if (keys_take(fd[0], &in) == -1)
		say(CERTCHECK_FAILED, "out of memory");
	in.kind = CERT_KEY;
	if (keys_take(fd[1], &in) == -1)
		say(CERTCHECK_FAILED, "out of memory");
	if (keys_judge(&why) == -1)
		say(CERTCHECK_WRONG, why);
	if (member[0] != '\0')
		check_member(argv[4], fd[2], member);
	say(CERTCHECK_GOOD, "");
}
