# SPDX-License-Identifier: ISC

# Pure: bytes in, bytes out. The tests and fuzz targets link these alone.
proxyd_HDR_OBJS = common/base/reference.o common/base/addr.o proxyd/http/cookie.o proxyd/http/flow.o \
	proxyd/http/glob.o proxyd/http/host.o proxyd/http/lenient.o proxyd/http/origin.o \
	proxyd/http/reqhdr.o proxyd/http/resphdr.o proxyd/http/sieve.o \
	proxyd/http/stage.o proxyd/http/service.o proxyd/http/urlmap.o proxyd/door/route.o $(api_OBJS)
proxyd_BODY_OBJS = proxyd/http/repack.o proxyd/http/rewrite.o \
	proxyd/http/sniff.o

proxyd_OBJS = proxyd/proxyd.o proxyd/authd.o proxyd/grant.o proxyd/session.o \
	proxyd/member.o proxyd/moving.o proxyd/refused.o proxyd/tried.o proxyd/upstream.o proxyd/door/buf.o proxyd/door/conn.o proxyd/door/write.o \
	common/net/crowd.o common/net/brought.o common/net/listen.o common/net/proxyhead.o common/proc/trusted.o proxyd/door/enter.o proxyd/door/limits.o \
	proxyd/door/now.o proxyd/door/peer.o proxyd/door/plain.o proxyd/door/trust.o \
	proxyd/job/acme.o proxyd/job/answer.o proxyd/job/api.o \
	proxyd/job/begin.o proxyd/job/body.o proxyd/job/console.o proxyd/job/cors.o \
	proxyd/job/document.o proxyd/job/down.o proxyd/job/end.o proxyd/job/events.o proxyd/job/file.o \
	proxyd/job/forward.o proxyd/job/gather.o proxyd/job/give.o proxyd/job/hold.o proxyd/job/internal.o proxyd/job/jar.o proxyd/job/merge.o proxyd/job/names.o \
	proxyd/job/pass.o proxyd/job/path.o proxyd/job/proxy.o proxyd/job/rendezvous.o proxyd/job/up.o proxyd/job/whose.o proxyd/job/wide.o \
	proxyd/http/page.o $(proxyd_HDR_OBJS) $(proxyd_BODY_OBJS) \
	common/base/index.o common/base/label.o common/base/rate.o common/metrics/count.o \
	common/proc/request.o \
	common/base/uuid.o common/http/reply.o \
	common/ws/ws_mask.o $(wipe_json_OBJS) $(proc_OBJS) $(link_OBJS) $(doc_OBJS) \
	$(head_OBJS) $(api_PARAMS_OBJS) $(ws_accept_OBJS)
proxyd_LIBS = $(LLHTTP_LIBS) $(EVENT_LIBS) $(SODIUM_LIBS) \
	$(CJSON_LIBS) $(ZLIB_LIBS)
proxyd/job/document.o: $(srcdir)/doc/openapi.yaml
proxyd/job/document.o $(FUZZ_O)/proxyd/job/document.o: PATHS += -DOPENAPI_YAML='"$(srcdir)/doc/openapi.yaml"'
proxyd/job/console.o $(FUZZ_O)/proxyd/job/console.o: console/out/console.def
proxyd/job/console.o $(FUZZ_O)/proxyd/job/console.o: PATHS += -DCONSOLE_BIN='"console/out/console.bin"' \
	-DCONSOLE_DEF='"console/out/console.def"'
