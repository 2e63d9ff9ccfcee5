/* SPDX-License-Identifier: ISC */
/*
 * tlsd: TLS for the listeners that have it. It touches their sockets, the
 * connections that come there, its channels to keyd and the proxyds; it holds
 * certificates, and no private key: every signature is asked of keyd.
 *
 * Messages: the parent's (below), keyd's (sign.c), the proxyds' (doors.c). It
 * starts in main(). accept.c says who comes, client.c is a connection's life: a
 * handshake (certs.c says with which certificate, far.c is the key that is
 * elsewhere, tickets.c what spares one), and when the client has said
 * something, a socketpair to a proxyd, through which pump.c moves bytes to and
 * fro. Whose a request is, proxyd decides, as for a connection of its own. The
 * other way round it is TLS to a member of a cluster, on a connection that a
 * proxyd brings.
 */
#include <sys/resource.h>

#include <openssl/ssl.h>
#include <sodium.h>

#include <dlfcn.h>
#include <setjmp.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "certs.h"
#include "client.h"
#include "doors.h"
#include "far.h"
#include "imsg/imsg.h"
#include "imsg/msg.h"
#include "kernel.h"
#include "accept.h"
#include "metrics/count.h"
#include "net/brought.h"
#include "net/listen.h"
#include "proc/proc.h"
#include "proc/trusted.h"
#include "sign.h"
#include "tls/crypto.h"

#define FILES_MAX	65536

static const struct dispatch	table[] = {
	PROC_ROWS
	PROC_PEER_ROW
	PROC_LEAVE_ROW
	PROC_CERT_ROW
	PROC_RELOAD_ROWS
};

static int
on_listener(int fd, uint32_t flags, const char *addr)
{
	(void)addr;
	return (listen_add(fd, flags));
}

static int
on_peer(int fd, int role, uint64_t instance, unsigned protocol)
{
	return (role == ROLE_KEYD ? sign_peer(fd, instance, protocol) :
	    role == ROLE_PROXYD ? doors_peer(fd, instance, protocol) : -1);
}

/* At the start, and at a RELOAD: what the parent has given before it counts. */
static int
judge(const struct conf *conf, const char **why)
{
	if (trusted_judge(conf, why) == -1 || certs_good(why) == -1)
		return (-1);
	*why = "peer tls ca file: it has not come";
	return (conf->cluster_ca_file[0] == '\0' || certs_has_peers() ? 0 : -1);
}

static void
swapped(void)
{
	(void)trusted_use(proc_conf());
	certs_use();
}

/* What the machine says about libssl is not for us: certs.c does. */
static void
begin(void)
{
	crypto_begin();
	if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG |
	    OPENSSL_INIT_LOAD_SSL_STRINGS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS,
	    NULL) != 1 || far_init() == -1)
		fatalx("libssl");
}

static void
run(void)
{
	const char	*why;

	crypto_begun();
	if (judge(proc_conf(), &why) == -1)
		fatalx("%s", why);
	log_debug("tls in the kernel: %s", kernel_options() != 0 ? "offered" :
	    "not offered (modprobe tls), done here");
	swapped();
	accept_run();
	proc_after_turn(client_reap);
}

static void
stop(void)
{
	listen_stop();
	brought_stop();
	client_stop();
}

static struct timer	doors;

static void
leave_doors(void *arg)
{
	(void)arg;
	listen_drain();
	client_shut();
}

/* As long as there is a connection: a tunnel may go through it. */
static void
leave(uint32_t seconds)
{
	(void)seconds;
	doors_leave();
	timer_init(&doors, leave_doors, NULL);
	timer_set(&doors, LEAVE_DOORS_MS);
}

int
main(int argc, char **argv)
{
	struct proc_ops	ops;
	struct rlimit	rl;

	memset(&ops, 0, sizeof(ops));
	ops.role = ROLE_TLSD;
	ops.table = table;
	ops.rows = sizeof(table) / sizeof(table[0]);
	ops.listener = on_listener;
	ops.counters = counts_take;
	ops.peer = on_peer;
	ops.cert = certs_take;
	ops.judge = judge;
	ops.swapped = swapped;
	ops.begin = begin;
	ops.run = run;
	ops.stop = stop;
	ops.leave = leave;
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0)
		ops.files = rl.rlim_max < FILES_MAX ? rl.rlim_max : FILES_MAX;
	if (sodium_init() == -1)
		return (1);
	kernel_look();
	client_init(&pump);
	proc_main(&ops, argc, argv);
}

#ifdef RELAYD_SANITIZE
/*
 * OpenSSL's jobs change stacks by _longjmp(), which AddressSanitizer takes for
 * a way out of the frames that it leaves, and wonders about their stack. They
 * are come back to: past it, to libc's own.
 */
static void	(*libc_longjmp)(jmp_buf, int);

static void __attribute__((constructor))
libc_find(void)
{
	void	*libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);

	if (libc != NULL)
		libc_longjmp = (void (*)(jmp_buf, int))(uintptr_t)dlsym(libc,
		    "_longjmp");
	/* There may have been no memory for it; no job could stop then. */
	if (libc_longjmp == NULL)
		_exit(1);
}

void
_longjmp(jmp_buf env, int value)
{
	libc_longjmp(env, value);
	__builtin_unreachable();
}
#endif
