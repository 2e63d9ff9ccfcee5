# SPDX-License-Identifier: ISC

# What the tests and fuzz targets link: documents in, keys out.
dialerd_docs_OBJS = dialerd/discovery.o dialerd/jwks.o dialerd/json.o

dialerd_OBJS = dialerd/dialerd.o dialerd/ask.o dialerd/dial.o dialerd/fetch.o \
	$(dialerd_docs_OBJS) common/net/resolve.o common/tls/crypto.o $(link_OBJS) $(proc_OBJS)
dialerd_LIBS = $(CURL_LIBS) $(SSL_LIBS) -levent_extra $(EVENT_LIBS) \
	$(SODIUM_LIBS) $(CJSON_LIBS)
