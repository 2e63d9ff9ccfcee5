# SPDX-License-Identifier: ISC

tlsd_OBJS = tlsd/tlsd.o tlsd/accept.o tlsd/certs.o tlsd/client.o \
	tlsd/doors.o tlsd/far.o tlsd/kernel.o tlsd/pump.o tlsd/reason.o tlsd/sign.o tlsd/tickets.o \
	common/base/addr.o common/base/rate.o common/net/brought.o common/net/crowd.o common/net/listen.o \
	common/net/proxyhead.o common/net/sock.o common/proc/trusted.o \
	common/tls/chain.o common/tls/crypto.o common/metrics/count.o $(proc_OBJS)
tlsd_LIBS = $(EVENT_LIBS) $(SODIUM_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS)
