//! README says what the code does: its table of variables, its commands, its routes.

use std::collections::BTreeSet;

use mandi_contracts::{METHODS, contract, output, read, readme, routes_of, template};
use mandi_core::settings;

/// What a fenced block may be. Shell blocks say whether they need an AWS account.
const INFOS: [&str; 7] = ["sh", "sh aws", "json", "text", "mermaid", "toml", "python"];

fn shell_commands(document: &str) -> Vec<(String, bool)> {
    let blocks = readme::blocks(&read(document));
    let shell = blocks.iter().filter(|block| block.info.starts_with("sh"));
    shell.flat_map(|block| readme::commands(block).into_iter().map(|line| (line, block.info == "sh aws"))).collect()
}

#[test]
fn given_the_table_of_variables_when_compared_with_the_code_then_both_are_the_same() {
    let cell = |text: &str| text.replace('|', "\\|");
    let wanted: Vec<Vec<String>> = settings::ALL
        .iter()
        .map(|setting| {
            let default = setting.default.map_or_else(String::new, |default| format!("`{default}`"));
            vec![format!("`{}`", setting.name), default, setting.meaning.to_owned()]
        })
        .collect();
    let rows = readme::rows(&read("README.md"));
    let is_variable = |name: &str| {
        name.starts_with('`') && name.trim_matches('`').bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
    };
    let found: Vec<Vec<String>> = rows.into_iter().filter(|row| is_variable(&row[0])).collect();
    let table: Vec<String> =
        wanted.iter().map(|row| format!("| {} | {} | {} |", row[0], row[1], cell(&row[2]))).collect();
    assert_eq!(found, wanted, "README.md needs this table:\n{}", table.join("\n"));
}

#[test]
fn given_a_variable_in_the_template_when_looked_up_in_the_code_then_it_exists() {
    let names: BTreeSet<&str> = settings::ALL.iter().map(|setting| setting.name).collect();
    let template = read("infra/template.yaml");
    let keys = template.lines().filter_map(|line| line.trim().split_once(": ").map(|(key, _)| key));
    let unknown: Vec<_> = keys.filter(|key| key.starts_with("MANDI_") && !names.contains(key)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn given_a_fenced_block_when_its_kind_is_read_then_it_is_one_that_is_checked() {
    for document in ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md"] {
        for block in readme::blocks(&read(document)) {
            assert!(
                INFOS.contains(&block.info.as_str()),
                "{document}:{}: mark the block as one of {INFOS:?}",
                block.line
            );
        }
    }
}

#[test]
fn given_a_make_command_when_the_makefile_is_asked_then_it_has_the_target() {
    for document in ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md"] {
        for (line, _) in shell_commands(document).iter().filter(|(line, _)| line.starts_with("make ")) {
            let words: Vec<&str> = line.split_whitespace().skip(1).collect();
            // It fails, and says why, when Make does not know a target.
            let _ = output("make", &[&["--dry-run", "--no-print-directory"], words.as_slice()].concat());
        }
    }
}

#[test]
fn given_a_shell_command_when_it_needs_an_account_then_it_is_marked_so() {
    for (line, is_aws) in shell_commands("README.md") {
        let needs_account = line.contains("sam deploy") || line.contains("make deploy") || line.contains("execute-api");
        assert!(is_aws || !needs_account, "mark the block of `{line}` as `sh aws`");
    }
}

#[test]
fn given_the_routes_that_readme_lists_when_compared_with_the_template_then_they_are_the_same() {
    let listed: BTreeSet<(String, String)> = readme::rows(&read("README.md"))
        .iter()
        .filter_map(|row| row[0].strip_prefix('`')?.strip_suffix('`')?.split_once(' '))
        .filter(|(methods, path)| {
            path.starts_with("/v1/") && METHODS.iter().any(|method| methods.to_lowercase().contains(method))
        })
        .flat_map(|(methods, path)| {
            methods.split(',').map(|method| (method.to_lowercase(), path.to_owned())).collect::<Vec<_>>()
        })
        .collect();
    let template: BTreeSet<_> = template::routes(&read("infra/template.yaml")).into_keys().collect();
    assert_eq!(listed, template);
}

#[test]
fn given_the_readers_of_the_contract_when_they_look_for_a_route_of_readme_then_a_function_serves_it() {
    let served = routes_of(&contract());
    // What `-T` sends goes to a signed URL, which is no route.
    let is_call = |line: &str| line.starts_with("curl ") && !line.contains(" -T ");
    for (line, _) in shell_commands("README.md").iter().filter(|(line, _)| is_call(line)) {
        let path = line.split_whitespace().find_map(|word| word.split_once("/v1/")).map(|(_, path)| path);
        let path = path.unwrap_or_else(|| panic!("`{line}` calls no route"));
        let path = format!("/v1/{}", path.trim_matches(['"', '\'']).split('?').next().unwrap_or_default());
        let fits = |(_, pattern): &(String, String)| {
            let parts = pattern.split('/').zip(path.split('/'));
            pattern.split('/').count() == path.split('/').count()
                && parts.into_iter().all(|(want, have)| want.starts_with('{') || want == have)
        };
        assert!(served.iter().any(fits), "no function serves {path}");
    }
}
