//! The shell scripts that run inside of a container around the commands.
//!
//! They are written for a plain POSIX `sh` and use no program but those that the crate's documentation
//! names. Each command gets a number; its files are [`PRIVATE`]`/<number>.…`.

/// A directory in memory that belongs to the scripts.
pub(crate) const PRIVATE: &str = "/.ci-core";

/// The first process of a job's container: a shell that runs what it is told ([`crate::keeper`]) until
/// its standard input is closed, which happens when the engine's process ends in any way. A shell that
/// waits for a command does not see that: another process hands on what it is told, and ends it.
pub(crate) const DEADMAN: [&str; 3] = ["sh", "-c", HAND_ON];

/// The script of [`DEADMAN`]. An image without `mkfifo` gets a shell that runs no commands.
const HAND_ON: &str = r#"
mkfifo -m 600 /.ci-core/told 2>/dev/null || exec sh -s
exec 3<&0
{
  exec 4>/.ci-core/told
  rm -f /.ci-core/told &
  cat <&3 3<&- >&4
  kill -9 $$
} >/dev/null 2>&1 &
exec sh -s "$!" </.ci-core/told 3<&-
"#;

/// What the shell of [`DEADMAN`] is told first. `_ci_look` finds out what a command left: `_ci_alone` if
/// there is no process but its own, `_ci_held` if one may still write where the shell does. To have a
/// session of their own, commands need `setsid`.
pub(crate) const PRELUDE: &str = r#"
_ci_relay=$1
_ci_sh=sh _ci_setsid= _ci_ifs=$IFS IFS=:
for _ci_dir in $PATH; do
  if [ -x "$_ci_dir/sh" ] && [ "$_ci_sh" = sh ]; then _ci_sh=$_ci_dir/sh; fi
  if [ -x "$_ci_dir/setsid" ] && [ -z "$_ci_setsid" ]; then _ci_setsid=$_ci_dir/setsid; fi
done
IFS=$_ci_ifs
[ /proc/self/fd/1 -ef /proc/self/fd/1 ] 2>/dev/null || _ci_relay=
[ -n "$_ci_setsid" ] || _ci_relay=
# A command that signals its parent does not end the container.
trap : HUP INT TERM
_ci_look() {
  _ci_alone=1 _ci_held=
  read -r _ci_own _ci_rest </proc/self/stat
  for _ci_dir in /proc/[0-9]*; do
    case ${_ci_dir#/proc/} in 1|"$_ci_own"|"$_ci_relay") continue ;; esac
    read -r _ci_stat <"$_ci_dir/stat" || continue
    set -- ${_ci_stat##*) }
    case $1 in Z|X) continue ;; esac
    [ "$2" != "$_ci_relay" ] || continue
    _ci_alone=
    [ -r "$_ci_dir/fd" ] || _ci_held=1
    for _ci_file in "$_ci_dir"/fd/*; do
      if [ "$_ci_file" -ef /proc/self/fd/1 ] || [ "$_ci_file" -ef /proc/self/fd/9 ]; then
        _ci_held=1
        return
      fi
    done
  done
}
_ci_looks() {
  for _ci_try in 1 2 3; do
    _ci_look
    [ -n "$_ci_held" ] || return
    # What was told to end may not have ended yet.
    [ "$_ci_try" = 3 ] || sleep 0.05 || return
  done
}
"#;

/// The first process of a job's container in a swarm, which gives it no input to wait for. It lives
/// until [`TETHER`] ends, or as long as the argument says, in seconds, if nobody comes.
pub(crate) const LEASE: &str = r#"
mkfifo -m 600 /.ci-core/tether || exit 1
{ sleep "$1"; [ -e /.ci-core/held ] || kill $$; } &
exec cat /.ci-core/tether >/dev/null
"#;

/// Holds a container with [`LEASE`] as [`DEADMAN`] does.
pub(crate) const TETHER: &str = r"
while [ ! -p /.ci-core/tether ]; do sleep 0.05 2>/dev/null || sleep 1; done
: >/.ci-core/held
echo held
exec 3>/.ci-core/tether
exec sh -s
";

/// Makes the places where a job works. Runs as root with the user and group of the commands as
/// `uid:gid` (empty for root), a number, and the directories: those that are new become theirs, and the
/// first so many of them anyway.
pub(crate) const MAKE_PLACES: &str = r#"
owner=$1 ours=$2 number=0
shift 2
if [ ! -k /tmp ] || [ ! -d /tmp ]; then
  mkdir -p /tmp 2>/dev/null
  chmod 1777 /tmp 2>/dev/null
fi
# All at once, where no owner has to be told.
if [ -z "$owner" ]; then
  mkdir -p "$@"
  exit
fi
for dir; do
  number=$((number + 1))
  if [ -d "$dir" ]; then
    [ "$number" -le "$ours" ] || continue
  else
    mkdir -p "$dir" || exit 1
  fi
  chown "$owner" "$dir" || exit 1
done
"#;

/// Gives the files of a directory back to its owner. Arguments: directory, owner as `uid`, `uid:gid`.
pub(crate) const GIVE_BACK: &str = r#"
find "$1" ! -user "$2" -exec chown -h "$3" {} + 2>/dev/null || chown -R "$3" "$1"
"#;

/// Waits until one of the ports of this network namespace is listened on, and says `ready`. Only
/// processes know their sockets; the table of all is in `/proc/net/tcp` (proc(5)): addresses in
/// hexadecimal, `0A` for a socket that listens. Arguments: `loopback` if sockets count that only the
/// container itself reaches, how often to look, and the ports as four hexadecimal digits.
pub(crate) const PROBE: &str = r#"
which=$1 rounds=$2
shift 2
look() {
  for file in /proc/net/tcp /proc/net/tcp6; do
    [ -r "$file" ] || continue
    while read -r _ address _ state _; do
      [ "$state" = 0A ] || continue
      if [ "$which" != loopback ]; then
        case ${address%:*} in
          ??????7F|00000000000000000000000001000000|0000000000000000FFFF0000??????7F) continue ;;
        esac
      fi
      for port; do
        [ "${address##*:}" != "$port" ] || return 0
      done
    done <"$file"
  done
  return 1
}
while [ "$rounds" -gt 0 ]; do
  if look "$@"; then echo ready; exit 0; fi
  rounds=$((rounds - 1))
  sleep 0.1 2>/dev/null || sleep 1
done
exit 1
"#;

/// Says who commands run as, whether the shell that is asked runs commands, and where their home is.
pub(crate) const WHO: &str = r#"
user= group=
while read -r key _ effective _; do
  case $key in
    Uid:) user=$effective ;;
    Gid:) group=$effective ;;
  esac
done </proc/self/status
echo "${user:-$(id -u)}"
echo "${group:-$(id -g)}"
echo "${_ci_relay:+runs}"
if [ -n "$HOME" ] && [ "$HOME" != / ] && [ -d "$HOME" ] && [ -w "$HOME" ]; then
  printf '%s' "$HOME"
fi
"#;

/// Runs a command: notes its session and how often memory had run out before, goes to its directory
/// and becomes the command. Arguments: number, directory, and the words of the command.
pub(crate) const BEGIN: &str = r#"
_ci_note=/.ci-core/$1 _ci_dir=$2
shift 2
_ci_kills() {
  for _ci_file in /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control; do
    if [ -r "$_ci_file" ]; then
      while read -r _ci_key _ci_value; do
        [ "$_ci_key" != oom_kill ] || echo "$_ci_value"
      done <"$_ci_file"
      return
    fi
  done
}
{ echo $$; _ci_kills; } >"$_ci_note" 2>/dev/null
cd "$_ci_dir" 2>/dev/null || { echo directory >"$_ci_note.missing"; exit 127; }
trap "echo program >$_ci_note.missing" EXIT
unset OLDPWD _ci_note _ci_dir _ci_file _ci_key _ci_value
exec "$@"
"#;

/// Says why a command with a suspicious code ended: `directory` or `program` if that is missing, or
/// `memory`. Argument: number.
pub(crate) const WHY: &str = r#"
n=/.ci-core/$1
if [ -r "$n.missing" ]; then cat "$n.missing"; exit; fi
before=
{ read -r sid; read -r before; } <"$n" 2>/dev/null
for f in /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control; do
  if [ -r "$f" ]; then
    while read -r k v; do
      if [ "$k" = oom_kill ] && [ "$v" -gt "${before:-0}" ]; then echo memory; fi
    done <"$f"
    break
  fi
done
exit 0
"#;

/// Lists the processes of a command, after sending them a signal. A process belongs to the command if
/// it is of the command's session or has its marker in its environment. Arguments: marker, the number
/// of the command (empty for none), the signal (empty for none), and the processes that get none
/// because they had it, each between spaces.
pub(crate) const HUNT: &str = r#"
# Processes come and go; what is said of that is of no use to anybody.
exec 2>/dev/null
marker=$1 number=$2 signal=$3 spared=$4
sid=
if [ -n "$number" ]; then read -r sid <"/.ci-core/$number"; fi
for dir in /proc/[0-9]*; do
  pid=${dir#/proc/}
  if [ "$pid" = 1 ] || [ "$pid" = "$$" ]; then continue; fi
  read -r stat <"$dir/stat" || continue
  set -- ${stat##*) }
  case $1 in Z|X) continue ;; esac
  if [ -z "$sid" ] || [ "$4" != "$sid" ]; then
    case $(cat "$dir/environ") in *"$marker"*) ;; *) continue ;; esac
  fi
  echo "$pid"
  case $spared in *" $pid "*) continue ;; esac
  if [ -n "$signal" ]; then kill "-$signal" "$pid"; fi
done
exit 0
"#;
