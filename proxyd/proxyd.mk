# SPDX-License-Identifier: ISC

proxyd_OBJS =
proxyd_LIBS = $(LLHTTP_LIBS) $(EVENT_LIBS) $(SODIUM_LIBS) $(CRYPTO_LIBS) $(CJSON_LIBS)
