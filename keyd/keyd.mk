# SPDX-License-Identifier: ISC

keyd_OBJS = keyd/keyd.o keyd/keys.o keyd/form.o keyd/check.o common/tls/chain.o common/tls/crypto.o \
	common/metrics/count.o $(proc_OBJS)
keyd_LIBS = $(EVENT_LIBS) $(SODIUM_LIBS) $(CRYPTO_LIBS)
