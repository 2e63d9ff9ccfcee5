$(eval $(call unit_test,clientconf_url_test,common/net/url.o tunnel-client/retryafter.o common/base/target.o common/base/compat.o,))
