# SPDX-License-Identifier: ISC

# The grammar, used by the parent, its tests and its fuzz target.
cfg_OBJS =	relayd/parse.o relayd/lex.o relayd/redisurl.o common/base/conninfo.o relayd/printconf.o relayd/envconf.o \
		common/proc/conf.o common/proc/conf_set.o common/base/compat.o

relayd_OBJS =	relayd/relayd.o relayd/source.o relayd/env.o relayd/parent.o relayd/give.o relayd/child.o \
		relayd/kill.o relayd/notify.o relayd/watch.o \
		relayd/childlog.o relayd/logline.o relayd/spawn.o relayd/supervise.o \
		relayd/authlink.o relayd/listen.o relayd/reload.o \
		relayd/ctl_parent.o relayd/users.o relayd/files.o relayd/keyfiles.o \
		relayd/acme.o relayd/certs.o relayd/certcheck.o relayd/peers.o relayd/limits.o \
		relayd/pages.o relayd/processes.o relayd/usage.o relayd/upgrade.o \
		relayd/takeover.o relayd/replace.o relayd/retire.o relayd/goback.o relayd/entries.o relayd/signals.o relayd/strangers.o relayd/program.o \
		relayd/tablefile.o relayd/handover.o relayd/table.o common/imsg/protosum.o \
		$(metrics_OBJS) common/metrics/count.o $(cfg_OBJS) $(ctl_OBJS) \
		common/imsg/chan.o common/base/build.o common/base/clock.o \
		common/base/compat_spawn.o common/base/uuid.o \
		$(imsg_PURE_OBJS) common/base/log.o
relayd_LIBS = $(EVENT_LIBS) $(SODIUM_LIBS)

# Generated before anything that includes its tokens.
relayd/lex.o relayd/parse.o: relayd/parse.c
fuzz-obj/relayd/lex.o fuzz-obj/relayd/parse.o: relayd/parse.c
