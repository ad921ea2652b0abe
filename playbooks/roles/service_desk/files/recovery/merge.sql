-- Puts an agency's rows, read from its backup into the schema `restored`, into the live database. scope_<table> says which
-- live rows are the agency's own, backup_<table> which of the backup's are. All happens in the caller's transaction.
set local search_path = public;

-- People who wrote to the agency may have come back to the desk since, as another user: the backup's rows then mean that one.
create temp table moved on commit drop as
    select old.id, new.id as now from restored.users old join users new on lower(new.name) = lower(old.name)
    where new.id <> old.id and old.id in (select id from backup_users where not own)
    union all
    select old.id, new.id from restored.users o
    join users n on lower(n.name) = lower(o.name) and n.id <> o.id
    join restored.groups old on old.domain = 'ACLEquivalence' and old.instance = o.id
    join groups new on new.domain = 'ACLEquivalence' and new.instance = n.id
    where o.id in (select id from backup_users where not own);

do $$
declare
    one record;
    wrong bigint;
begin
    -- Remains that lost what says whose they are, as the entries of a deleted ticket: the backup knows them as they stand.
    for one in select table_name as name from information_schema.tables where table_schema = 'restored' loop
        execute format(
            'delete from %1$I t using restored.%1$I r join backup_%1$s b using (id)
             where b.own and t.id = r.id and row(t.*) is not distinct from row(r.*)', one.name);
    end loop;
    -- What all agencies see of who came back, the desk has of its own: that they are somebody, and nobody privileged.
    for one in select unnest(array['groupmembers', 'cachedgroupmembers']) as name loop
        execute format(
            'delete from restored.%1$I r using backup_%1$s b where b.id = r.id and not b.own
             and (r.memberid in (select id from moved) or r.groupid in (select id from moved))', one.name);
    end loop;
    -- Names of columns that hold the number of a user or of a group of one.
    for one in
        select table_name, column_name from information_schema.columns where table_schema = 'restored'
        and column_name in ('creator', 'lastupdatedby', 'owner', 'memberid', 'immediateparentid', 'principalid')
    loop
        execute format('update restored.%1$I r set %2$I = m.now from moved m where r.%2$I = m.id', one.table_name, one.column_name);
    end loop;
    for one in select table_name as name from information_schema.tables where table_schema = 'restored' loop
        execute format('delete from %1$I t using scope_%1$s s where s.id = t.id and s.own', one.name);
    end loop;
    for one in select table_name as name from information_schema.tables where table_schema = 'restored' loop
        -- Who is no longer known to the desk is needed by the agency's rows; its configuration is not the agency's to set.
        execute format('insert into %1$I select r.* from restored.%1$I r join backup_%1$s b using (id) where b.own ', one.name)
            || case when one.name in ('users', 'groups', 'principals') then 'or r.id not in (select id from moved) '
                    when one.name in ('groupmembers', 'cachedgroupmembers') then 'or true ' else '' end
            || 'on conflict do nothing';
        execute format(
            'select count(*) from restored.%1$I r join backup_%1$s b using (id) where b.own
             and not exists (select from %1$I t where t.id = r.id and row(t.*) is not distinct from row(r.*))', one.name
        ) into wrong;
        if wrong > 0 then
            raise exception 'the desk has given % of the numbers in % to somebody else: a desk that was set up anew '
                'is restored before its agencies are provisioned', wrong, one.name;
        end if;
    end loop;
    -- A million further on: agencies that are restored after this one have numbers from where the backup was taken, and no
    -- agency that is served meanwhile may be given them.
    for one in select sequence_name, last from restored_sequences loop
        perform setval(one.sequence_name::regclass, greatest(one.last + 1000000, nextval(one.sequence_name::regclass)));
    end loop;
end
$$;

drop schema restored cascade;
