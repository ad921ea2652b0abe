"""Texts that could be more than text if something allowed it."""

from pathlib import Path


def hostile(proof: Path) -> list[str]:
    """Each creates a file, or breaks out of a line, a quote or a comment, if it is not treated as plain text."""
    lookup = f"lookup('ansible.builtin.pipe', 'touch {proof}')"
    return [
        f"{{{{ {lookup} }}}}",
        f"{{% set _ = {lookup} %}}",
        f"#jinja2:variable_start_string:'[['\n[[ {lookup} ]]",
        f"!unsafe {{{{ {lookup} }}}}",
        "{# a comment #} {{ undefined_variable }}",
        "!vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  00",
        f"$(touch {proof}) `touch {proof}`; touch {proof} && touch {proof} || touch {proof} | touch {proof}",
        f"'; touch {proof}; echo '",
        f'"; system("touch {proof}"); print "',
        f"'); system('touch {proof}'); ('",
        f"@{{[system('touch {proof}')]}} ${{net0/mac}} ${{run{{/bin/touch {proof}}}}} %h %n %i",
        "x\nExecStart=/bin/false",
        "x\r\nserver=/./203.0.113.1",
        "x\\",
        "# x ; x // x -- x <!-- x",
        "'\"\\ \t\x00\x07\x1b[31m\x7f\x85\u2028\u202e\U0001f600 : - & * yes 0o17 1e3 2026-12-01",
        "../../../etc/passwd",
        "-rf",
    ]
