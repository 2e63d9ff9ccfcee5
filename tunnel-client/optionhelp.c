/* SPDX-License-Identifier: ISC */
/* --help and --completion: what can be said of the table of options. */
#include <stdio.h>
#include <string.h>

#include "base/compat.h"
#include "options_int.h"

static const struct {
	const char	*word, *usage;
	int		 words;		/* at most, itself too */
} commands[] = {
	{ "status", "status [-j]", 1 },
	{ "consent", "consent [on | off | default | 2h | until TIME]", 4 },
	{ "install", "install --url URL --key KEY --secret-file FILE "
	    "[option ...]", 1 },
	{ "uninstall", "uninstall", 1 },
};
#define NCOMMANDS	(sizeof(commands) / sizeof(commands[0]))

int
optionhelp_command(const char *word)
{
	size_t	i;

	for (i = 0; i < NCOMMANDS; i++)
		if (strcmp(commands[i].word, word) == 0)
			return (commands[i].words);
	return (0);
}

void
optionhelp_usage(FILE *f)
{
	size_t	i;

	fprintf(f, "usage: tunnel-client --url URL --key KEY --secret-file "
	    "FILE [option ...]\n");
	for (i = 0; i < NCOMMANDS; i++)
		fprintf(f, "       tunnel-client %s\n", commands[i].usage);
	if (f == stderr) {
		fprintf(f, "tunnel-client --help explains the options\n");
		return;
	}
	for (i = 0; i < option_count; i++) {
		if (option_rows[i].help == NULL)
			continue;
		if (option_rows[i].letter != 0)
			fprintf(f, "  -%c, ", option_rows[i].letter);
		else
			fprintf(f, "      ");
		fprintf(f, "--%-28s %s", option_rows[i].flag,
		    option_rows[i].help);
		if (option_rows[i].def != NULL && *option_rows[i].def != '\0')
			fprintf(f, " (%s)", option_rows[i].def);
		fprintf(f, "\n");
	}
	fprintf(f, "  -h, --%-28s %s\n      --%-28s %s\n", "help",
	    "print this", "version", "print the version");
	fprintf(f, "      --%-28s %s\n", "completion",
	    "print the completion for bash, zsh or fish");
	fprintf(f, "Most can be set in the environment and in a file as "
	    "well: tunnel-client(1).\n");
}

/* One line for a flag in a shell's words; `help` has no quote in it. */
static void
complete_flag(char shell, const char *flag, int letter, int takes,
    const char *help)
{
	char	text[128], *p;
	int	file = strstr(flag, "file") != NULL ||
		    strcmp(flag, "config") == 0 ||
		    strstr(flag, "socket") != NULL;
	int	dir = strstr(flag, "dir") != NULL;

	/* zsh has brackets around the text. */
	strlcpy(text, help, sizeof(text));
	for (p = text; shell == 'z' && (p = strpbrk(p, "[]")) != NULL; p++)
		*p = *p == '[' ? '(' : ')';
	help = text;
	if (shell == 'b') {
		printf(" --%s", flag);
	} else if (shell == 'z') {
		printf(" '--%s%s[%s]%s'", flag, takes ? "=" : "", help,
		    !takes ? "" : file ? ":file:_files" : dir ?
		    ":dir:_files -/" : ":value:");
	} else {
		printf("complete -c tunnel-client -l %s", flag);
		if (letter != 0)
			printf(" -s %c", letter);
		printf("%s -d '%s'\n", !takes ? "" : file || dir ? " -r" :
		    " -x", help);
	}
}

static void
complete_command(char shell, const char *word)
{
	if (shell == 'b')
		printf(" %s", word);
	else if (shell == 'z')
		printf(" ':order:(%s)'", word);
	else
		printf("complete -c tunnel-client -n __fish_use_subcommand "
		    "-a %s\n", word);
}

int
optionhelp_completion(const char *shell)
{
	size_t	i;

	if (strcmp(shell, "bash") != 0 && strcmp(shell, "zsh") != 0 &&
	    strcmp(shell, "fish") != 0) {
		fprintf(stderr, "tunnel-client: --completion: bash, zsh or "
		    "fish expected\n");
		return (OPTIONS_USAGE);
	}
	if (*shell == 'b')
		printf("complete -o default -W '");
	else if (*shell == 'z')
		printf("#compdef tunnel-client\n_tunnel_client() { _arguments");
	else
		printf("complete -c tunnel-client -f\n");
	for (i = 0; i < option_count; i++)
		if (option_rows[i].help != NULL)
			complete_flag(*shell, option_rows[i].flag, option_rows[i].letter,
			    !option_is_flag(&option_rows[i]), option_rows[i].help);
	for (i = 0; i < NCOMMANDS; i++)
		complete_command(*shell, commands[i].word);
	complete_flag(*shell, "help", 'h', 0, "print the options");
	complete_flag(*shell, "version", 0, 0, "print the version");
	if (*shell == 'b')
		printf("' tunnel-client\n");
	else if (*shell == 'z')
		printf(" }\nif [[ $funcstack[1] = _tunnel_client ]]; then\n"
		    "\t_tunnel_client \"$@\"\nelse\n"
		    "\tcompdef _tunnel_client tunnel-client\nfi\n");
	return (1);
}
