# What the scripts share that install something; to be sourced.

# retry COMMAND… : runs it up to three times, since what is brought from a network does not always come.
retry() {
    local pause
    for pause in 5 20; do
        "$@" && return
        echo "failed: $*; once more in $pause s" >&2
        sleep "$pause"
    done
    "$@"
}

# need PROGRAM PACKAGE… : installs the packages unless the program is there. Without root it says what to install.
need() {
    local program=$1
    shift
    command -v "$program" >/dev/null && return
    if [ "$(id -u)" != 0 ]; then
        echo "$program is missing; install it: sudo apt-get install $*" >&2
        return 1
    fi
    echo "installing $*" >&2
    # Whoever else installs something just now is waited for.
    local options=(-qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
    retry apt-get "${options[@]}" update >&2 &&
        retry env DEBIAN_FRONTEND=noninteractive apt-get "${options[@]}" install -y --no-install-recommends "$@" >&2
}
