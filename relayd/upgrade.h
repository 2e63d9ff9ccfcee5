/* SPDX-License-Identifier: ISC */
#ifndef UPGRADE_H
#define UPGRADE_H

#include <stddef.h>
#include <stdint.h>

#include "relayd.h"
#include "table.h"

/*
 * A new version in place of this one, with the same pid: its children stay its
 * children and every descriptor stays open. The old program checks the new one
 * and execs it (upgrade.c); the new one takes over (takeover.c), and as long as
 * it has not said that all is well it can go back (goback.c). What goes across
 * is the table (table.h) and one variable of the environment:
 *
 *	RELAYD_TABLE=check	from `relayd -n`: can you read the table at
 *				descriptor 4? Say so, with the number of your
 *				messages' protocol, on 3.
 *	RELAYD_TABLE=new T E	go on with the table at descriptor T; if you
 *				cannot, exec what is open at E, which is me
 *	RELAYD_TABLE=back T why	it is you again, since the new one could not
 */
#define TABLE_VARIABLE	"RELAYD_TABLE"
#define TABLE_SAYS	"relayd: the table is understood, and protocol "

enum takeover_how {
	TAKEOVER_NOT,		/* an ordinary start */
	TAKEOVER_CHECK,		/* relayd -n of an upgrade */
	TAKEOVER_NEW, TAKEOVER_BACK
};

/* ---- upgrade.c: the old program ---- */

/* Once, in main(): how we were called, and where the program is. */
void	upgrade_init(int argc, char **argv);
/* Once nothing of ours can be in the place of a child's descriptors. */
void	upgrade_open(void);
/* Start one. `done` is called once: code and text as in CTL_DONE. */
void	upgrade_start(reload_done_fn, uint64_t who, uint32_t id);

/* ---- program.c: what may be run ---- */

/*
 * Nobody but root and the user that we are can have written it: it, and all
 * directories on the way, belong to one of them, and others cannot write. 0, or
 * -1 with a text.
 */
int	program_judge(const char *path, char *err, size_t err_size);
/* The same for all programs of children. */
int	program_judge_all(char *err, size_t err_size);

/* ---- tablefile.c: the table as a descriptor ---- */

/* One that nobody can change any more; -1 with a text. */
int	tablefile_seal(const uint8_t *p, size_t len, char *err, size_t err_size);
/* Map one that is sealed. 0, or -1 with *why. */
int	tablefile_map(int fd, const uint8_t **p, size_t *len, const char **why);
/* A descriptor and what is behind it; is it that still? */
uint64_t tablefile_inode(int fd);
/* All descriptors of the table, across exec (1) or not. */
void	tablefile_pass(const uint8_t *p, size_t len, int on);
/* ---- handover.c: where tables come from, and what becomes of them ---- */

/* All that lives, written and sealed; -1 with a text. */
int	handover_write(char *err, size_t err_size);
/* Each adds its records. */
void	listen_save(struct table_put *);
void	spawn_save(struct table_put *);
/* The other way. Programs of children that we cannot start ourselves. */
void	spawn_take_program(const struct table_program *, int old);
void	spawn_forget_old(void);
/* A child of the old program's; its descriptors are taken (-1: lost). */
struct child	*child_restore(const struct table_child *, int old, int chan,
		    int lines);
int	spawn_adopt(struct child *, int chan, int lines);
void	listen_take_door(const struct table_door *);
void	listen_take_desk(const struct table_desk *);
void	give_take(const struct table_pass *);

/* ---- takeover.c: the new program ---- */

/* The first thing in main(): is there a table to go on with? */
enum takeover_how	takeover_begin(void);
enum takeover_how	takeover_how(void);
/* Descriptors above `first` that are nobody's are closed. */
void	takeover_close_others(int first);
/* -n: can it be read? Says so. 0, or -1 with a line on stderr. */
int	takeover_check(void);
/* Once everything is there that the records need. */
void	takeover_listeners(void);
void	takeover_children(void);
/* ---- replace.c: who takes whose place ---- */

/* How it is done; `done` is called when everybody new is there. */
const struct supervise_ops	*replace_init(void (*done)(void));

/* ---- retire.c ---- */

/* Ask idle ones of before to go; how many are asked. */
size_t	retire_start(void);

/* ---- goback.c: the old program again ---- */

/*
 * From now on whatever ends us execs `exe` with `table` instead, or with one
 * that `writer` has made (handover_write()).
 */
void	goback_guard(int table, int exe, int (*writer)(char *, size_t));
/* That can be read: so it goes on; and once its children are ours. */
void	goback_table(const uint8_t *, size_t);
void	goback_taken(void);
/* All is well: no more. */
void	goback_over(void);
/* Now, with a table of now, if that can be written. Returns on failure only. */
void	goback_now(const char *why);

#endif
