# SPDX-License-Identifier: ISC

# What an intruder finds in the process of a TCP connection: adding an object
# here is a security decision.
tcpd_OBJS = tcpd/tcpd.o tcpd/tcp.o $(proc_OBJS) \
	$(visit_OBJS) $(ws_OBJS) $(head_OBJS) $(lean_OBJS)
tcpd_LIBS = $(LLHTTP_LIBS) $(EVENT_LIBS) $(SODIUM_LIBS)
tcpd_STATIC = yes
