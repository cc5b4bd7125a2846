# bash completion for berth -*- shell-script -*-
# Asks berth itself, which knows its commands and options, and the services and ports of what runs.

_berth()
{
	local berth=${1/#\~/$HOME} line=${COMP_LINE:0:COMP_POINT} cur= keep= breaks
	local -a words=() at=()
	local i trimmed

	# bash parts words at = : @ too. Put together again what has no blank between; at[] is where each begins.
	for ((i = 0; i <= COMP_CWORD; i++)); do
		trimmed=${line#"${line%%[![:space:]]*}"}
		cur=${COMP_WORDS[i]}
		((i == COMP_CWORD)) && cur=$trimmed
		if ((i > 0)) && [[ $trimmed == "$line" && $line ]]; then
			words[${#words[@]} - 1]+=$cur
		else
			words+=("$cur")
			at+=("$i")
		fi
		line=${trimmed#"$cur"}
	done
	cur=${words[${#words[@]} - 1]}

	# What stands before the last such character is there already and must not be offered again.
	breaks=${COMP_WORDBREAKS//[^=:@]/}
	if [[ $breaks && $cur == *["$breaks"]* ]]; then
		keep=${cur%"${cur##*["$breaks"]}"}
	fi

	COMPREPLY=()
	while IFS= read -r line; do
		case $line in
		:files)
			compopt -o filenames
			COMPREPLY+=($(compgen -f -- "${cur#"$keep"}"))
			;;
		:folders)
			compopt -o filenames
			COMPREPLY+=($(compgen -d -- "${cur#"$keep"}"))
			;;
		:command\ *)
			_berth_command "${at[${line#:command } + 1]}" "$cur"
			return
			;;
		*)
			COMPREPLY+=("${line#"$keep"}")
			;;
		esac
	done < <("$berth" completion words bash -- "${words[@]:1}" 2>/dev/null)
}

# A foreign command begins at word $1: what bash would offer for it alone.
_berth_command()
{
	if declare -F _comp_command_offset >/dev/null; then
		_comp_command_offset "$1"
	elif declare -F _command_offset >/dev/null; then
		_command_offset "$1"
	elif (($1 == COMP_CWORD)); then
		COMPREPLY=($(compgen -c -- "$2"))
	else
		compopt -o filenames
		COMPREPLY=($(compgen -f -- "$2"))
	fi
}

complete -F _berth berth
