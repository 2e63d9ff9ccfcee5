# SPDX-License-Identifier: ISC

# What an intruder finds in the process of a relay session: adding an object
# here is a security decision. Heads of requests are not read here.
rendd_OBJS = rendd/rendd.o rendd/leg.o rendd/out.o rendd/pair.o rendd/pipe.o \
	rendd/resume.o 	$(ws_OBJS) $(link_OBJS) $(proc_OBJS) $(lean_OBJS)
rendd_LIBS = $(EVENT_LIBS) $(SODIUM_LIBS)
rendd_STATIC = yes
