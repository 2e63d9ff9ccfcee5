$(eval $(call fuzz_target,note,authd/redis/note.o authd/cred/seen.o authd/cred/shared.o common/base/uuid.o common/base/compat.o,$(SODIUM_LIBS)))
