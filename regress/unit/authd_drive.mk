authd_drive_OBJS = regress/unit/authd_drive.o common/imsg.o common/msg.o common/conf.o common/compat.o
