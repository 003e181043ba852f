#!/bin/sh
# Makes two images of the PostgreSQL that Debian's packages have put on this machine: ci-core-postgres, a
# server that takes its variables as the official image does, and ci-core-psql, a shell with its client.
# usage: image.sh [NAME...], the names of both
set -eu
server=${1:-ci-core-postgres}
client=${2:-ci-core-psql}
here=$(cd "$(dirname "$0")" && pwd)
# The newest one, where there are several.
home=$(ls -d /usr/lib/postgresql/*/ | sort -V | tail -n 1)
home=${home%/}
version=${home##*/}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/bin" "$root/etc" "$root/root" "$root/tmp" "$root/data" "$root/run" "$root$home/bin" \
    "$root$home/lib" "$root/usr/share/postgresql" "$root/usr/share/zoneinfo"
busybox=$(command -v busybox)
cp "$busybox" "$root/bin/busybox"
for applet in $("$busybox" --list); do
    [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
done
for program in postgres initdb psql pg_isready; do
    program=$(readlink -f "$home/bin/$program")
    cp "$program" "$root$home/bin/"
    # With the libraries that it is linked to.
    ldd "$program" | grep -o '/[^ )]*' | while read -r library; do
        mkdir -p "$root$(dirname "$library")"
        cp -L "$library" "$root$library"
    done
done
for library in dict_snowball.so plpgsql.so; do
    cp "$home/lib/$library" "$root$home/lib/"
done
cp -r "/usr/share/postgresql/$version" "$root/usr/share/postgresql/"
cp "$here/start.sh" "$root/bin/start.sh"
chmod 755 "$root/bin/start.sh"
chmod 1777 "$root/tmp"
chmod 777 "$root/run" "$root/data"
printf 'root:x:0:0:root:/root:/bin/sh\npostgres:x:70:70:postgres:/data:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\npostgres:x:70:\n' >"$root/etc/group"
tar -C "$root" -c . | docker import -c "ENV PATH=$home/bin:/bin" -c 'LABEL ci-core-test=postgres' \
    -c 'EXPOSE 5432/tcp' -c 'USER postgres' -c 'ENTRYPOINT ["/bin/start.sh"]' - "$server" >/dev/null
tar -C "$root" -c . | docker import -c "ENV PATH=$home/bin:/bin" -c 'LABEL ci-core-test=postgres' \
    - "$client" >/dev/null
echo "$server and $client"
