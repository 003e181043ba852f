# What runs on the remote machine: the guard of a session, its steps, its file copies, the clean-up.
#
# Needs a POSIX sh with cat, grep, id, ls, mkdir, rm, sed, sleep, sort, tar and uname; uses setsid, find,
# stat, xargs and /proc where they are. The lines before this text set ci_mode, ci_root, ci_run, ci_session,
# ci_grace and ci_lease. The names of all variables start with ci_, and none is exported.
#
# Processes are found by CI_CORE_REMOTE=<run>/<session>/<step>; in their environment, and by the
# process group that each step leads.

ci_mode=${1:-$ci_mode}
ci_root=${ci_root:-/tmp/ci-core-$(id -u)}
ci_dir=$ci_root/$ci_run/$ci_session
ci_nl='
'

# Processes whose environment holds the text $1, and those of the group $2 if it is not empty.
ci_find() {
  if [ -r /proc/self/environ ]; then
    {
      grep -slF "CI_CORE_REMOTE=$1" /proc/[0-9]*/environ | sed 's|/proc/\([0-9]*\)/.*|\1|'
      [ -z "$2" ] || cat /proc/[0-9]*/stat 2>/dev/null |
        sed -n "s/^\([0-9]*\) (.*) [^ZX] [0-9]* $2 .*/\1/p"
    } | sort -u
  elif [ -n "$2" ]; then
    # Without /proc only the group is known.
    ps -A -o pid= -o pgid= -o stat= 2>/dev/null |
      sed -n "s/^ *\([0-9][0-9]*\)  *$2  *[^Z ].*/\1/p"
  fi
}

# A short pause; not every sleep knows fractions.
ci_pause() { sleep 0.1 2>/dev/null || sleep 1; }

# Asks everything of the marker $1 and of the groups $2… to end, waits for the grace period, forces.
# Gives what is left.
ci_end() {
  ci_marker=$1
  shift
  ci_all() {
    ci_find "$ci_marker" "$1"
    [ $# -lt 2 ] || for ci_group in "$@"; do ci_find "$ci_marker" "$ci_group"; done
  }
  ci_pids=$(ci_all "$@")
  [ -n "$ci_pids" ] || return 0
  kill -TERM $ci_pids 2>/dev/null
  # What is stopped would not notice.
  kill -CONT $ci_pids 2>/dev/null
  ci_until=$(($(date +%s) + ci_grace + 1))
  while [ -n "$ci_pids" ] && [ "$(date +%s)" -lt "$ci_until" ]; do
    ci_pause
    ci_pids=$(ci_all "$@")
  done
  ci_tries=0
  while [ -n "$ci_pids" ] && [ $ci_tries -lt 50 ]; do
    kill -KILL $ci_pids 2>/dev/null
    ci_pause
    ci_pids=$(ci_all "$@")
    ci_tries=$((ci_tries + 1))
  done
  printf '%s' "$ci_pids"
}

# When the process $1 began, so that its number is not taken for another's.
ci_began() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20; }

# Ends all that the session in $1 (run/session) started. Gives what is left.
ci_end_session() {
  ci_groups=$(cat "$ci_root/$1/state/groups" 2>/dev/null)
  ci_end "$1/" $ci_groups
}

# Removes the directory $1, also where a step took its own rights away.
ci_remove() {
  rm -rf "$1" 2>/dev/null || { chmod -R u+rwX "$1" 2>/dev/null; rm -rf "$1"; }
}

# Makes the directory $1 for this user alone, and sees to it that it is.
ci_private() {
  mkdir -m 700 "$1" 2>/dev/null
  [ -d "$1" ] && [ ! -L "$1" ] || return 1
  set -- $(ls -ldn "$1")
  case $1 in drwx------*) [ "$3" = "$(id -u)" ] ;; *) return 1 ;; esac
}

# --- the guard: makes the session's directories and holds its lease ---

ci_guard() {
  umask 077
  mkdir -p "${ci_root%/*}" 2>/dev/null
  if ! ci_private "$ci_root"; then
    echo "refused $ci_root"
    exit 1
  fi
  # A neighbor of the same run may just remove the directory of the run.
  ci_tries=0
  until mkdir -p "$ci_root/$ci_run" && mkdir "$ci_dir" || [ $ci_tries -ge 5 ]; do
    ci_tries=$((ci_tries + 1))
  done 2>/dev/null
  if ! {
    mkdir "$ci_dir/work" "$ci_dir/home" "$ci_dir/tmp" "$ci_dir/state" &&
      echo "$$ $(ci_began $$)" >"$ci_dir/state/guard" &&
      printf '%s\n' "$ci_text" >"$ci_dir/supervisor" &&
      echo 0 >"$ci_dir/state/beat"
  }; then
    echo "full $ci_dir"
    ci_remove "$ci_dir"
    rmdir "$ci_root/$ci_run" 2>/dev/null
    exit 1
  fi
  ci_watch </dev/null >/dev/null 2>&1 &
  ci_watch=$!
  trap : HUP PIPE
  printf 'ready\n%s\n%s\n%s\n%s\nready\n' "$ci_dir" "$HOME" "$(uname -s)" "$(uname -m)"
  ci_beats=0
  ci_word=
  while IFS= read -r ci_word && [ "$ci_word" != bye ]; do
    ci_beats=$((ci_beats + 1))
    echo $ci_beats >"$ci_dir/state/beat"
  done
  kill $ci_watch 2>/dev/null
  ci_left=$(ci_over)
  [ "$ci_word" = bye ] && printf 'left %s\ndone\n' "$(echo $ci_left)"
  exit 0
}

# Ends the session when the controller is silent for too long: a link may be dead without a word.
ci_watch() {
  ci_last=
  while sleep "$ci_lease"; do
    ci_now=$(cat "$ci_dir/state/beat") || exit 0
    if [ "$ci_now" = "$ci_last" ]; then
      kill -KILL $$
      ci_over
      exit 0
    fi
    ci_last=$ci_now
  done
}

# Ends and removes the session. Gives the processes that are left.
ci_over() {
  : >"$ci_dir/state/over"
  ci_end_session "$ci_run/$ci_session"
  ci_remove "$ci_dir" >&2
  rmdir "$ci_root/$ci_run" 2>/dev/null
}

# --- a step ---

# $1 is the number of the step. The first line of the input is the mark that tells the supervisor's
# words from those of the step; then comes a script that becomes the step, up to the mark; then `stop`
# if the step has to stop. The end of the input means that nobody waits for the step any more.
ci_step() {
  ci_number=$1
  ci_marker="$ci_run/$ci_session/$ci_number;"
  ci_file=$ci_dir/state/step-$ci_number
  IFS= read -r ci_mark
  ci_spec=
  while IFS= read -r ci_line && [ "$ci_line" != "$ci_mark" ]; do
    ci_spec=$ci_spec$ci_line$ci_nl
  done
  [ "$ci_line" = "$ci_mark" ] && [ -n "$ci_mark" ] || exit 1
  exec 3<&0 </dev/null
  trap : HUP PIPE
  (
    exec 3<&-
    unset SSH_CONNECTION SSH_CLIENT SSH_TTY SSH_AUTH_SOCK SSH_ORIGINAL_COMMAND
    eval "$ci_spec"
  ) &
  ci_pid=$!
  ci_listen "$ci_pid" >/dev/null 2>&1 &
  ci_listener=$!
  exec 3<&-
  wait $ci_pid
  ci_code=$?
  # A signal to the supervisor ends the wait too, but not the step.
  while [ $ci_code -gt 128 ] && kill -0 $ci_pid 2>/dev/null; do
    wait $ci_pid
    ci_code=$?
  done
  ci_end_step
  # One write each, so that nothing gets in between.
  printf '%s end\n' "$ci_mark" >&2
  printf '%s %s\n' "$ci_mark" "$ci_verdict"
}

ci_end_step() {
  if [ -e "$ci_file.stop" ]; then
    # The listener is at it.
    wait $ci_listener
    ci_verdict="stopped $(cat "$ci_file.stop" 2>/dev/null)"
  else
    kill $ci_listener 2>/dev/null
    ci_verdict="exit $ci_code"
    [ ! -s "$ci_file.missing" ] || ci_verdict="missing $(cat "$ci_file.missing")"
    if kill -0 -$ci_pid 2>/dev/null; then
      echo $ci_pid >>"$ci_dir/state/groups"
    fi
  fi
  [ -d "$ci_dir/state" ] && [ ! -e "$ci_dir/state/over" ] || ci_verdict=over
}

# Waits for the word to stop, or for the end of the link, and ends the step $1 then.
ci_listen() {
  IFS= read -r ci_word <&3
  : >"$ci_file.stop"
  ci_left=$(ci_end "$ci_marker" "$1")
  echo $ci_left >"$ci_file.stop"
}

# For the script of a step: says that the $1 does not exist, and ends.
ci_missing() {
  echo "$1" >"$ci_file.missing"
  exit 127
}

# For the script of a step: whether the program $1 can be found in the path $2.
ci_program() {
  case $1 in
  */*) [ -x "$1" ] && [ ! -d "$1" ] || ci_missing program ;;
  *)
    ci_rest=$2:
    while [ -n "$ci_rest" ]; do
      ci_place=${ci_rest%%:*}
      ci_rest=${ci_rest#*:}
      if [ -x "${ci_place:-.}/$1" ] && [ ! -d "${ci_place:-.}/$1" ]; then return 0; fi
    done
    ci_missing program
    ;;
  esac
}

# --- files ---

# Unpacks the archive on the input in the directory $1.
ci_unpack() {
  mkdir -p "$1" && cd "$1" && exec tar -xpof -
}

# Makes the directory $1 like one at the other end: says what there is, removes the names on the input up to
# an empty line, and unpacks the archive that follows, if the next word is `tar`.
ci_mirror() {
  mkdir -p "$1" && cd "$1" || exit 1
  command -v rsync || echo
  # Not every find knows -printf, and not every system has this stat; then everything comes anew.
  find . ! -name . -printf 'F%y%m %s %T@ %C@ %P\n' 2>/dev/null ||
    find . ! -name . -exec stat -c 'S%f %s %Y %Z %n' {} + 2>/dev/null
  echo
  ci_names=
  while IFS= read -r ci_name && [ -n "$ci_name" ]; do ci_names=$ci_names$ci_name$ci_nl; done
  if [ -n "$ci_names" ]; then
    # Files and links first. A directory that is not empty then has something that stays.
    printf %s "$ci_names" | tr '\n' '\0' | xargs -0 rm -f -- 2>/dev/null
    printf %s "$ci_names" | while IFS= read -r ci_name; do
      [ ! -d "$ci_name" ] || [ -L "$ci_name" ] || rmdir "$ci_name" 2>/dev/null
    done
  fi
  IFS= read -r ci_name || exit 1
  [ "$ci_name" = tar ] || exit 0
  exec tar -xpof -
}

# Packs the directory $1.
ci_pack() {
  cd "$1" && exec tar -cf - .
}

# Whether all directories $@ exist; the number of the first that does not, counted from 100.
ci_directories() {
  ci_code=100
  for ci_place; do
    [ -d "$ci_place" ] || exit $ci_code
    ci_code=$((ci_code + 1))
  done
}

# --- clean-up ---

# Ends the sessions of the run ci_run, or of all runs whose guard is dead if that is empty.
ci_reap() {
  for ci_found in "$ci_root"/${ci_run:-*}/*; do
    [ -d "$ci_found/state" ] || continue
    ci_pid=
    ci_start=
    read -r ci_pid ci_start 2>/dev/null <"$ci_found/state/guard" || :
    ci_alive=
    if [ -n "$ci_pid" ] && kill -0 "$ci_pid" 2>/dev/null &&
      [ "$(ci_began "$ci_pid")" = "$ci_start" ]; then
      ci_alive=1
    fi
    [ -z "$ci_alive" ] || [ -n "$ci_run" ] || continue
    # Only now: a guard that lives would think that the link is gone.
    : >"$ci_found/state/over"
    [ -z "$ci_alive" ] || kill -KILL "$ci_pid"
    ci_name=${ci_found#"$ci_root/"}
    ci_left=$(ci_end_session "$ci_name")
    if ci_remove "$ci_found"; then
      echo "removed session $ci_name in $ci_found"
    else
      echo "left directory $ci_found"
    fi
    [ -z "$ci_left" ] || echo "left processes" $ci_left
    rmdir "${ci_found%/*}" 2>/dev/null
  done
  echo done
}

[ $# -eq 0 ] || shift
case $ci_mode in
guard) ci_guard ;;
step) ci_step "$@" ;;
unpack) ci_unpack "$@" ;;
mirror) ci_mirror "$@" ;;
pack) ci_pack "$@" ;;
directories) ci_directories "$@" ;;
reap) ci_reap ;;
esac
