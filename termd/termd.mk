# SPDX-License-Identifier: ISC

# What an intruder finds in a terminal's process: adding an object here is a
# security decision.
termd_OBJS = termd/termd.o termd/terminal.o termd/shell.o termd/message.o \
	termd/ahead.o termd/resize.o termd/cast.o termd/out.o termd/record.o termd/ring.o \
	$(proc_OBJS) $(visit_OBJS) $(ws_OBJS) $(head_OBJS) $(lean_OBJS)
termd_LIBS = $(LLHTTP_LIBS) $(EVENT_LIBS) $(SODIUM_LIBS)
termd_STATIC = yes
