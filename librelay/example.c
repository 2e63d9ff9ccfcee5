/* SPDX-License-Identifier: ISC */
/*
 * One side of a relay session: says hello, and prints what the other says.
 *
 *	cc example.c $(pkg-config --cflags --libs librelay)
 *	SWSRS_URL=... SWSRS_SESSION=... SWSRS_TOKEN=... ./a.out
 */
#include <librelay.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	struct relay_options	o = { .url = getenv("SWSRS_URL"),
				    .session = getenv("SWSRS_SESSION"),
				    .token = getenv("SWSRS_TOKEN"),
				    .program = argc > 1 ? argv[1] : NULL };
	char			why[256], buf[4096];
	ssize_t			n;
	int			fd;

	if ((fd = relay_open(&o, why, sizeof(why))) == -1) {
		fprintf(stderr, "no relay session: %s\n", why);
		return (1);
	}
	if (write(fd, "hello\n", 6) != 6)
		return (1);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (fwrite(buf, 1, (size_t)n, stdout) != (size_t)n)
			return (1);
	close(fd);
	return (n == 0 ? 0 : 1);
}
