# fish completion for berth: asks berth itself, which knows its commands and options, and the services and ports of
# what runs.

function __berth_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l berth $words[1]
    set -e words[1]
    for line in (command $berth completion words fish -- $words $current 2>/dev/null)
        switch $line
            case :files
                __fish_complete_path $current
            case :folders
                __fish_complete_directories $current ''
            case ':command *'
                # Words counted from 0 become elements counted from 1.
                set -l first (math (string replace ':command ' '' -- $line) + 1)
                set -l foreign
                test $first -le (count $words); and set foreign (string escape -- $words[$first..])
                complete -C "$(string join ' ' -- $foreign $current)"
            case '*'
                echo $line
        end
    end
end

complete -c berth -f -a '(__berth_complete)'
