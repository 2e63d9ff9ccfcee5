$(eval $(call fuzz_target,clientfile,tunnel-client/conffile.o common/base/compat.o,))
