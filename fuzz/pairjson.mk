$(eval $(call fuzz_target,pairjson,paird/json.o common/base/compat.o,))
