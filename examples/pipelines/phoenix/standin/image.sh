#!/bin/sh
# Makes the images ci-core-phoenix (busybox, bash, git and docker of this machine, with the stand-in `mix`) and
# ci-core-phoenix-db (something that listens where PostgreSQL would), for machines that can pull none.
# usage: standin/image.sh [NAME]
set -eu
name=${1:-ci-core-phoenix}
here=$(cd "$(dirname "$0")" && pwd)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/bin" "$root/usr/bin" "$root/etc" "$root/root" "$root/tmp"
busybox=$(command -v busybox)
cp "$busybox" "$root/bin/busybox"
for applet in $("$busybox" --list); do
    case $applet in
    busybox) ;;
    *) ln -s busybox "$root/bin/$applet" ;;
    esac
done
# A program with the libraries that it is linked to.
bring() {
    program=$(readlink -f "$(command -v "$1")")
    rm -f "$root/bin/$1"
    cp "$program" "$root/bin/$1"
    # One that is linked statically has none.
    ldd "$program" 2>/dev/null | grep -o '/[^ )]*' | while read -r library; do
        mkdir -p "$root$(dirname "$library")"
        cp -L "$library" "$root$library"
    done
}
bring bash
bring git
bring docker
cp "$here/bin/mix" "$here/bin/pg_isready" "$root/usr/bin/"
echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
tar -C "$root" -c . | docker import -c 'ENV PATH=/usr/bin:/bin' -c 'LABEL ci-core.example=phoenix' - "$name" >/dev/null
tar -C "$root" -c bin etc tmp | docker import -c 'EXPOSE 5432/tcp' -c 'LABEL ci-core.example=phoenix' \
    -c 'CMD ["/bin/busybox","httpd","-f","-p","5432","-h","/etc"]' - "$name-db" >/dev/null
echo "$name and $name-db"
