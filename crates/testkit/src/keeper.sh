# Runs a server for a test process, and ends it when that process is gone, however it went.
#
# Arguments: the server's folder, the signal that ends the server at once, the server's command.
# Each line on the standard input starts the server, and is answered with its process id; the end
# of the input ends the server and removes the folder.
folder=$1
signal=$2
shift 2
server=

# What the system sends to a group with a stopped process in it whose starter has ended: with a
# frozen server it would end this shell before its work.
trap '' HUP

# The server and the processes that it started.
all() {
    echo "$server"
    for stat in /proc/[0-9]*/stat; do
        { read -r pid _ _ parent _ <"$stat"; } 2>/dev/null || continue
        if [ "$parent" = "$server" ]; then echo "$pid"; fi
    done
}

runs() {
    case $(cat "/proc/$server/stat" 2>/dev/null) in
    '' | *') Z '*) return 1 ;;
    esac
}

while read -r _; do
    # Collects the one before, which has ended: its process id is in use until then.
    if [ -n "$server" ]; then wait "$server"; fi
    "$@" </dev/null >>"$folder/log" 2>&1 &
    server=$!
    echo "$server"
done

if [ -n "$server" ] && runs; then
    before=$(all)
    # What was frozen has to go on to end.
    kill "-$signal" "$server"
    kill -CONT $before
    tries=0
    while runs && [ "$tries" -lt 100 ]; do
        tries=$((tries + 1))
        sleep 0.05
    done
    if runs; then
        kill -STOP "$server"
        kill -KILL $(all)
    elif [ "$signal" = KILL ]; then
        # It could not end what it had started, to write a file for it.
        kill -KILL $before
    fi
fi 2>/dev/null
tries=0
while ! rm -rf "$folder" && [ "$tries" -lt 100 ]; do
    tries=$((tries + 1))
    sleep 0.05
done 2>/dev/null
