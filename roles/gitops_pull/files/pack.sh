# shellcheck shell=sh
# Packs a collection for its hosts: `pack.sh FOLDER` prints the archive's path. The same files give the same bytes.
set -eu
umask 077
out=$(mktemp)
cd "$1"
set --
for part in galaxy.yml MANIFEST.json FILES.json docs/schema meta plugins playbooks roles; do
    if [ -e "$part" ]; then set -- "$@" "$part"; fi
done
tar --create --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --exclude=__pycache__ \
    --file "$out" "$@"
echo "$out"
