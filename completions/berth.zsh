#compdef berth
# zsh completion for berth: asks berth itself, which knows its commands and options, and the services and ports of
# what runs.

_berth()
{
	local berth=${~${(Q)words[1]}} line word help
	local -a items
	local -i skip ret=1

	for line in "${(@f)$("$berth" completion words zsh -- \
		"${(@Q)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null)}"; do
		case $line in
		'') ;;
		:files) _files && ret=0 ;;
		:folders) _files -/ && ret=0 ;;
		:command\ *)
			skip=$((${line#:command } + 1))
			shift $skip words
			((CURRENT -= skip))
			_normal
			return
			;;
		*)
			word=${line%%$'\t'*}
			help=
			[[ $line == *$'\t'* ]] && help=${line#*$'\t'}
			items+=("${word//:/\\:}${help:+:$help}")
			;;
		esac
	done
	((${#items})) && _describe 'berth' items && ret=0
	return ret
}

# Autoloaded from a file on $fpath it is called at once; sourced, it is registered.
if [[ ${funcstack[1]} == _berth ]]; then
	_berth "$@"
else
	compdef _berth berth
fi
