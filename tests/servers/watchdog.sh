# Ends a server when the test process is gone: standard input is a pipe that only that process
# holds. Everything that works in the directory $1 belongs to the server, and so does $1 itself.
trap '' HUP INT TERM
cat >/dev/null
quiet=0
rounds=0
while [ "$quiet" -lt 2 ] && [ "$rounds" -lt 100 ]; do
  quiet=$((quiet + 1))
  rounds=$((rounds + 1))
  for process in /proc/[0-9]*; do
    case "$(readlink "$process/cwd" 2>/dev/null)" in
      "$1" | "$1"/*) kill -KILL "${process#/proc/}" 2>/dev/null && quiet=0 ;;
    esac
  done
  [ "$quiet" -ge 2 ] || sleep 0.05
done
# PostgreSQL, killed, leaves a few bytes of System V memory, named in the seventh line.
if [ -f "$1/data/postmaster.pid" ]; then
  segment=$(sed -n '7s/^ *[0-9]*  *//p' "$1/data/postmaster.pid")
  [ -z "$segment" ] || ipcrm -m "$segment" 2>/dev/null
fi
rm -rf "$1"
