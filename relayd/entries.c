/* SPDX-License-Identifier: ISC */
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <linux/filter.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "entries.h"

struct entry {
	LIST_ENTRY(entry)	 entry;
	int			 role;
	uint32_t		 place;
	uint64_t		 owner;		/* an instance */
	uint64_t		 before;	/* of the old program; 0: none */
	struct sockaddr_storage	 addr;
	socklen_t		 len;
	int			 fd;
};

static LIST_HEAD(, entry)	entries = LIST_HEAD_INITIALIZER(entries);

static struct entry *
entry_new(int role, uint32_t place, const void *addr, size_t len, int fd)
{
	struct entry	*e;

	if (len > sizeof(e->addr) || (e = calloc(1, sizeof(*e))) == NULL)
		return (NULL);
	e->role = role;
	e->place = place;
	memcpy(&e->addr, addr, len);
	e->len = (socklen_t)len;
	e->fd = fd;
	LIST_INSERT_HEAD(&entries, e, entry);
	return (e);
}

static void
entry_close(struct entry *e)
{
	LIST_REMOVE(e, entry);
	close(e->fd);
	free(e);
}

/* Who had it may have shut it down; nothing else that it could do stays. */
static int
is_listening(int fd)
{
	int		on = 0;
	socklen_t	len = sizeof(on);

	return (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 &&
	    on);
}

int
entries_inherit(const struct child *c, const struct sockaddr_storage *addr,
    socklen_t len)
{
	struct entry	*e;
	int		 fd;

	if (c->slot == NULL)
		return (-1);
	LIST_FOREACH(e, &entries, entry)
		if (e->role == c->role && e->place == c->slot->index &&
		    e->len == len && memcmp(&e->addr, addr, len) == 0)
			break;
	if (e == NULL)
		return (-1);
	if (!is_listening(e->fd) ||
	    (fd = fcntl(e->fd, F_DUPFD_CLOEXEC, 0)) == -1) {
		log_warnx("%s: a listening socket of %llu is not as it was",
		    child_name(c), (unsigned long long)e->owner);
		entry_close(e);
		return (-1);
	}
	e->owner = c->instance;
	return (fd);
}

/* Without a copy there is nothing to inherit. */
void
entries_keep(const struct child *c, const struct sockaddr_storage *addr,
    socklen_t len, int fd)
{
	struct entry	*e;
	int		 copy;

	if (c->slot == NULL || (copy = fcntl(fd, F_DUPFD_CLOEXEC, 0)) == -1)
		return;
	e = entry_new(c->role, c->slot->index, addr, len, copy);
	if (e != NULL)
		e->owner = c->instance;
	else
		close(copy);
}

void
entries_ended(const struct child *c)
{
	struct entry	*e, *next;

	for (e = LIST_FIRST(&entries); e != NULL; e = next) {
		next = LIST_NEXT(e, entry);
		if (e->owner == c->instance)
			entry_close(e);
	}
}

/* No first segment of a connection gets to it any more, all others do. */
static int
hears_no_more(int fd)
{
	struct sock_filter	code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),	/* flags of TCP */
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, TH_SYN | TH_ACK),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TH_SYN, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	struct sock_fprog	program = { .filter = code,
	    .len = sizeof(code) / sizeof(code[0]) };

	return (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
	    sizeof(program)));
}

/* Our copy would keep it open, with nobody to accept. */
void
entries_leave(const struct child *c)
{
	struct entry	*e, *next;

	for (e = LIST_FIRST(&entries); e != NULL; e = next) {
		next = LIST_NEXT(e, entry);
		if (e->owner != c->instance)
			continue;
		if (hears_no_more(e->fd) == -1)
			log_warn("%s: a listening socket that is to close",
			    child_name(c));
		entry_close(e);
	}
}

void
entries_close(void)
{
	while (!LIST_EMPTY(&entries))
		entry_close(LIST_FIRST(&entries));
}

void
entries_settled(void)
{
	struct entry	*e;

	LIST_FOREACH(e, &entries, entry)
		e->before = 0;
}

/* On the way back they are whose they were. */
void
entries_save(struct table_put *t)
{
	struct table_record	 r = { .type = TABLE_ENTRY };
	const struct entry	*e;

	LIST_FOREACH(e, &entries, entry) {
		if (env()->guarded && e->before == 0)
			continue;
		r.entry = (struct table_entry){ .role = (uint8_t)e->role,
		    .place = e->place, .owner = env()->guarded ? e->before :
		    e->owner, .address = { (const void *)&e->addr, e->len },
		    .fd = (uint32_t)e->fd, .inode = tablefile_inode(e->fd) };
		table_add(t, &r);
	}
}

void
entries_take(const struct table_entry *in)
{
	struct entry	*e;

	e = entry_new(in->role, in->place, in->address.p, in->address.len,
	    (int)in->fd);
	if (e != NULL)
		e->owner = e->before = in->owner;
	else
		close((int)in->fd);
}
