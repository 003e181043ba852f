#!/bin/sh
# What jobs call as `circleci`. Where the engine's own program is at hand it does the work; in a
# container it is not, and then a shell, find, sed, sort and awk have to do.
if [ "$1 $2" = "step halt" ]; then
  printf %s "$CI_CORE_STEP" >"$HOME/.circleci/halted"
  exit 0
fi
if [ -n "$CI_CORE_PROGRAM" ] && [ -x "$CI_CORE_PROGRAM" ]; then
  exec "$CI_CORE_PROGRAM" shim circleci "$@"
fi

fail() {
  echo "circleci: $*" >&2
  exit 1
}

# Prints the files that fit patterns, sorted.
glob() {
  find . -type f | sed 's|^\./||' | CI_PATTERNS=$(printf '%s\n' "$@") awk '
    function expression(p,  out, i, c, depth, end) {
      sub(/^\.\//, "", p)
      for (i = 1; i <= length(p); i++) {
        c = substr(p, i, 1)
        if (substr(p, i, 3) == "**/") { out = out "(.*/)?"; i += 2 }
        else if (substr(p, i, 2) == "**") { out = out ".*"; i++ }
        else if (c == "*") out = out "[^/]*"
        else if (c == "?") out = out "[^/]"
        else if (c == "{") { out = out "("; depth++ }
        else if (c == "}" && depth > 0) { out = out ")"; depth-- }
        else if (c == "," && depth > 0) out = out "|"
        else if (c == "[" && (end = index(substr(p, i + 2), "]")) > 0) {
          c = substr(p, i + 1, end)
          sub(/^!/, "^", c)
          out = out "[" c "]"
          i += end + 1
        }
        else if (c ~ /[A-Za-z0-9_\/ -]/) out = out c
        else out = out "[" c "]"
      }
      return "^" out "$"
    }
    BEGIN {
      count = split(ENVIRON["CI_PATTERNS"], patterns, "\n")
      for (n = 1; n <= count; n++) expressions[n] = expression(patterns[n])
    }
    { for (n = 1; n <= count; n++) if ($0 ~ expressions[n]) { print; next } }
  ' | sort
}

# Prints the names of one shard. They come from files, or from standard input.
share() {
  by=name index=${CIRCLE_NODE_INDEX:-0} total=${CIRCLE_NODE_TOTAL:-1} files=
  while [ $# -gt 0 ]; do
    case $1 in
      --split-by=*) by=${1#*=} ;;
      --index=*) index=${1#*=} ;;
      --total=*) total=${1#*=} ;;
      --split-by) by=$2; shift ;;
      --index) index=$2; shift ;;
      --total) total=$2; shift ;;
      --timings-type) shift ;;
      -*) ;;
      *) files="$files $1" ;;
    esac
    shift
  done
  case $index$total in *[!0-9]*) fail "\`--index\` and \`--total\` are numbers" ;; esac
  [ "$total" -gt 0 ] || fail "\`--total\` is at least 1"
  if [ "$by" = timings ]; then
    echo "circleci: no times are known in a container; tests are split by name" >&2
  fi
  # Names of files have no spaces here; the vendor's program splits them, too.
  cat $files | sed '/^[[:space:]]*$/d' | sort -u | if [ "$by" = filesize ]; then
    while IFS= read -r name; do
      size=$(wc -c <"$name" 2>/dev/null) || size=0
      echo "$((size)) $name"
    done | sort -k1,1nr -k2 | awk -v index_="$index" -v total="$total" '
      {
        size = $1
        sub(/^[0-9]+ /, "")
        least = 0
        for (n = 1; n < total; n++) if (sum[n] + 0 < sum[least] + 0) least = n
        sum[least] += size
        if (least == index_) print
      }'
  else
    awk -v index_="$index" -v total="$total" '(NR - 1) % total == index_'
  fi
}

substitute() {
  awk '
    {
      rest = $0
      out = ""
      while (match(rest, /\$([{][A-Za-z0-9_]+[}]|[A-Za-z0-9_]+)/)) {
        name = substr(rest, RSTART + 1, RLENGTH - 1)
        gsub(/[{}]/, "", name)
        out = out substr(rest, 1, RSTART - 1) ENVIRON[name]
        rest = substr(rest, RSTART + RLENGTH)
      }
      print out rest
    }'
}

what="$1 $2"
[ $# -lt 2 ] || shift 2
case $what in
  "tests glob") glob "$@" ;;
  "tests split") share "$@" ;;
  "tests run")
    command=
    while [ $# -gt 0 ]; do
      case $1 in
        --command=*) command=${1#*=} ;;
        --command) command=$2; shift ;;
      esac
      shift
    done
    [ -n "$command" ] || fail "\`circleci tests run\` needs \`--command\`"
    if command -v bash >/dev/null 2>&1; then exec bash -eo pipefail -c "$command"; fi
    exec sh -e -c "$command"
    ;;
  "env subst") if [ $# -gt 0 ]; then printf '%s\n' "$*" | substitute; else substitute; fi ;;
  *) fail "\`circleci $what\` is not known here" ;;
esac
