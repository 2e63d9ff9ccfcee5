/* SPDX-License-Identifier: ISC */
/*
 * Certificates and their keys. We read neither: the kernel copies a file into
 * memory that is sealed, so that whoever starts later gets the same as who runs
 * already, whatever is written into the file meanwhile; keyd and tlsd, which
 * are shut in, say what is wrong with it.
 */
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "relayd.h"

#define SEALS	(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

struct cert {
	int		chain, key;	/* sealed copies */
	uint32_t	listeners;
	char		path[512];	/* of the chain */
};

struct certs {
	struct cert	v[CONF_CERTS_MAX];
	unsigned	n;
	/* of who signs those of other members, as one more; chain -1: none */
	struct cert	ca;
};

static struct certs	now = { .ca.chain = -1 }, next = { .ca.chain = -1 };

/* A copy that nobody can change; -1 with a text. */
static int
copy(const char *what, const char *path, int secret, char *err,
    size_t err_size)
{
	struct stat	st;
	ssize_t		n = 1;
	off_t		left;
	int		fd, to;

	if ((fd = files_open(what, path, secret, CERT_FILE_MAX, err, err_size)) ==
	    -1)
		return (-1);
	to = memfd_create("certificate", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (to != -1 && fstat(fd, &st) == 0) {
		for (left = st.st_size; left > 0 && n > 0; left -= n)
			n = sendfile(to, fd, NULL, (size_t)left);
		if (left == 0 && fcntl(to, F_ADD_SEALS, SEALS) == 0) {
			close(fd);
			return (to);
		}
	}
	snprintf(err, err_size, "%s %s: cannot be copied: %s", what, path,
	    strerror(errno));
	close(fd);
	if (to != -1)
		close(to);
	return (-1);
}

static void
certs_clear(struct certs *cs)
{
	for (; cs->n > 0; cs->n--) {
		close(cs->v[cs->n - 1].chain);
		close(cs->v[cs->n - 1].key);
	}
	if (cs->ca.chain != -1)
		close(cs->ca.chain);
	cs->ca.chain = -1;
}

int
certs_judge(const struct conf *conf, char *err, size_t err_size)
{
	const struct conf_cert	*from = conf->cert;
	struct cert		*ce;

	certs_clear(&next);
	for (; next.n < conf->n_cert; next.n++, from++) {
		ce = &next.v[next.n];
		if ((ce->chain = copy("cert", from->chain, 0, err, err_size)) ==
		    -1)
			return (-1);
		if ((ce->key = copy("key", from->key, 1, err, err_size)) == -1) {
			close(ce->chain);
			return (-1);
		}
		ce->listeners = from->listeners;
		snprintf(ce->path, sizeof(ce->path), "%s", from->chain);
	}
	if (conf->cluster_ca_file[0] == '\0')
		return (0);
	snprintf(next.ca.path, sizeof(next.ca.path), "%s",
	    conf->cluster_ca_file);
	next.ca.chain = copy(CERT_CA_FILE, conf->cluster_ca_file, 0, err, err_size);
	return (next.ca.chain != -1 ? 0 : -1);
}

void
certs_judged(int yes)
{
	if (yes) {
		certs_clear(&now);
		now = next;
		next.n = 0;
		next.ca.chain = -1;
	} else
		certs_clear(&next);
}

/* Each reads from its own place in the file, and cannot write. */
static int
cert_say(struct child *to, unsigned i, const struct cert *ce, int kind)
{
	char	path[64];
	int	fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", kind == CERT_KEY ?
	    ce->key : ce->chain);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return (-1);
	return (say_cert(to->chan, 0, fd, &(struct msg_cert){
	    .kind = (uint8_t)kind, .index = (uint16_t)i,
	    .listeners = ce->listeners, .path = ce->path }));
}

int
certs_send(struct child *to, int judged)
{
	const struct certs	*cs = judged ? &next : &now;
	unsigned		 i;
	int			 r = 0;

	for (i = 0; i < cs->n; i++) {
		r |= cert_say(to, i, &cs->v[i], CERT_CHAIN);
		if (role_info(to->role)->flags & RF_SIGNS)
			r |= cert_say(to, i, &cs->v[i], CERT_KEY);
	}
	if (cs->ca.chain != -1 && (role_info(to->role)->flags & RF_TLS))
		r |= cert_say(to, i, &cs->ca, CERT_CA);
	return (r);
}
