$(eval $(call unit_test,backoff_test,tunnel-client/backoff.o,))
