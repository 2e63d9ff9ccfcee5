$(eval $(call fuzz_target,termmessage,termd/message.o,))
