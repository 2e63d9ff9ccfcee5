/* SPDX-License-Identifier: ISC */
#include <stddef.h>
#include <string.h>

#include "completion.h"

static const char	bash[] =
    "# bash completion for relay\n"
    "_relay()\n"
    "{\n"
    "\tlocal word=${COMP_WORDS[COMP_CWORD]} before="
    "${COMP_WORDS[COMP_CWORD-1]}\n"
    "\tcase $before in\n"
    "\t--token-file|--ca-file)\n"
    "\t\tCOMPREPLY=($(compgen -f -- \"$word\"))\n"
    "\t\treturn ;;\n"
    "\t--url|--listen|--escape) COMPREPLY=(); return ;;\n"
    "\tcompletion)\n"
    "\t\tCOMPREPLY=($(compgen -W 'bash zsh fish' -- \"$word\"))\n"
    "\t\treturn ;;\n"
    "\tesac\n"
    "\tif [ \"$COMP_CWORD\" = 1 ]; then\n"
    "\t\tCOMPREPLY=($(compgen -W 'terminal connect completion --help "
    "--version' -- \"$word\"))\n"
    "\telse\n"
    "\t\tCOMPREPLY=($(compgen -W '--url --token-file --ca-file --listen "
    "--allow-plain --help' -- \"$word\"))\n"
    "\tfi\n"
    "}\n"
    "complete -F _relay relay\n";

static const char	zsh[] =
    "#compdef relay\n"
    "if ((CURRENT == 2)); then\n"
    "\tcompadd terminal connect completion --help --version\n"
    "elif [[ ${words[2]} == completion ]]; then\n"
    "\tcompadd bash zsh fish\n"
    "else\n"
    "\tshift words; ((CURRENT--))\n"
    "\t_arguments '--url[of relayd]:URL:' "
    "'--token-file[has the token]:file:_files' \\\n"
    "\t    '--ca-file[authorities to trust]:file:_files' \\\n"
    "\t    '--listen[a local port]:port:' '--allow-plain[http\\://]' "
    "'--help' ':session:' ':service:'\n"
    "fi\n";

static const char	fish[] =
    "complete -c relay -f\n"
    "complete -c relay -n __fish_use_subcommand "
    "-a 'terminal connect completion'\n"
    "complete -c relay -n '__fish_seen_subcommand_from completion' "
    "-a 'bash zsh fish'\n"
    "complete -c relay -n '__fish_seen_subcommand_from connect' -l url -x "
    "-d 'of relayd'\n"
    "complete -c relay -n '__fish_seen_subcommand_from connect' "
    "-l token-file -r -F -d 'has the token'\n"
    "complete -c relay -n '__fish_seen_subcommand_from connect' "
    "-l ca-file -r -F -d 'authorities to trust'\n"
    "complete -c relay -n '__fish_seen_subcommand_from connect' -l listen "
    "-x -d 'a local port'\n"
    "complete -c relay -n '__fish_seen_subcommand_from connect' "
    "-l allow-plain -d 'http://'\n"
    "complete -c relay -l help\n";

const char *
completion_script(const char *shell)
{
	if (strcmp(shell, "bash") == 0)
		return (bash);
	if (strcmp(shell, "zsh") == 0)
		return (zsh);
	return (strcmp(shell, "fish") == 0 ? fish : NULL);
}
