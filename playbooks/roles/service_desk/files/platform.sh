#!/bin/sh
# Makes, once per host, what all agencies of a service desk share: which of its packages' units run, the database, the
# site's certificate authority and the desk's certificate, and the control queue that no agent may see. Prints "changed"
# for each thing that it makes, or with "check" would make. A timer calls it too, for the certificate.
# The lock makes it safe to be called by the provisioning of two agencies at the same moment.
# Usage: platform.sh make|check ADDRESS SITE_DOMAIN AUTHORITY
# AUTHORITY counts the site's authorities of service desks: another number makes another one.
set -eu
act=$1 address=$2 site_domain=$3 authority=$4
due() { echo changed; [ "$act" = make ]; }
exec 9>/run/lock/service-desk
flock 9

# Request Tracker is served by units of ours; those of its packages would hold half a gigabyte for nobody.
for unit in request-tracker5 rt5-fcgi; do
    if systemctl --quiet is-enabled "$unit" 2>/dev/null || systemctl --quiet is-active "$unit"; then
        due && systemctl --quiet disable --now "$unit"
    fi
done
if ! { systemctl --quiet is-enabled postgresql && systemctl --quiet is-active postgresql; } 2>/dev/null; then
    due && systemctl --quiet enable --now postgresql
fi

state=/var/lib/service-desk
if [ ! -e "$state/ready" ]; then
    due || exit 0
    mkdir -p "$state"
    cd /
    # The package leaves its (empty) first configuration readable by root only, and Request Tracker insists on reading it.
    chgrp www-data /etc/request-tracker5/RT_SiteConfig.pm
    chmod 0640 /etc/request-tracker5/RT_SiteConfig.pm
    # Peer authentication over the local socket: the database knows the web server's user, and there is no password to leak.
    as_postgres() { runuser -u postgres -- "$@"; }
    as_postgres dropdb --if-exists rtdb
    as_postgres psql -qtAc "select 1 from pg_roles where rolname = 'www-data'" | grep -q 1 || as_postgres createuser www-data
    as_postgres createdb --owner www-data --encoding UTF8 --template template0 rtdb
    runuser -u www-data -- rt-setup-database-5 --action init --skip-create >"$state/set-up.log" 2>&1
    # The administrator of the package has a well-known first password; here nobody logs in as it.
    runuser -u www-data -- psql -q rtdb -c "update users set password = '*NO-PASSWORD*' where name = 'root'"
    runuser -u www-data -- rt-setup-database-5 --action insert --skip-create \
        --datafile /usr/local/lib/service-desk/control-queue.pl >>"$state/set-up.log" 2>&1
    touch "$state/ready"
fi

# Whom an agent may see hangs on who wrote on tickets, and the package has no index by that.
cd /
if ! runuser -u www-data -- psql -qtAc "select 1 from pg_indexes where indexname = 'service_desk_writers'" rtdb </dev/null | grep -q 1; then
    due && runuser -u www-data -- psql -q -c "create index service_desk_writers on transactions (creator) where objecttype = 'RT::Ticket'" rtdb
fi

# The desk's certificate is good for a year, and replaced when half of that is over. The authority is replaced when it would
# end before what it issues, when its key is lost, or when the site counts another one.
tls=/etc/service-desk/tls
lasts() { openssl x509 -in "$tls/$1.pem" -noout -checkend $(($2 * 86400)) >/dev/null 2>&1; }
counted=$(cat "$tls/authority" 2>/dev/null || echo 1)
# One that was restored on another host is that host's.
ours() { openssl x509 -in "$tls/desk.pem" -noout -checkip "$address" 2>/dev/null | grep -q 'does match'; }
if ! lasts desk 182 || lasts desk 366 || ! ours || [ "$counted" != "$authority" ]; then
    due || exit 0
    mkdir -p "$tls"
    umask 077
    if ! lasts ca 366 || [ ! -e "$tls/ca.key" ] || [ "$counted" != "$authority" ]; then
        # Until the desk's certificate is of it, nobody knows: interrupted, all of it happens again.
        rm -f "$tls/desk.pem"
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 3650 -batch \
            -subj "/O=$site_domain/CN=Service desk authority of $site_domain" \
            -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign,cRLSign \
            -keyout "$tls/ca.key" -out "$tls/ca.pem"
    fi
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 365 -batch \
        -CA "$tls/ca.pem" -CAkey "$tls/ca.key" -subj "/CN=$address" \
        -addext basicConstraints=critical,CA:FALSE -addext extendedKeyUsage=serverAuth \
        -addext "subjectAltName=IP:$address,DNS:$(hostname),DNS:localhost" \
        -keyout "$tls/desk.key.new" -out "$tls/desk.new"
    echo "$authority" >"$tls/authority"
    chmod 0644 "$tls/ca.pem" "$tls/desk.new"
    mv "$tls/desk.key.new" "$tls/desk.key"
    mv "$tls/desk.new" "$tls/desk.pem"
    if systemctl --quiet is-active nginx; then systemctl reload nginx; fi
fi
