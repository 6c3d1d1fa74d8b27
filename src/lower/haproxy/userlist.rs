//! `userlist`: users and groups, from either spelling.

use tandem_parser::diagnostic::{Diagnostic, Head, Reason, Severity};
use tandem_parser::haproxy::{Section, Statement};

use super::context::{Context, span_at};
use crate::ir::Userlist;
use crate::ir::userlist::{Password, User};

pub(super) fn lower(context: &mut Context<'_>, section: &Section, lists: &mut Vec<Userlist>) {
    let Some(name) = &section.name else { return };
    if lists.iter().any(|list| list.name == name.text()) {
        let message = format!("ignoring duplicate userlist '{name}'.");
        return context.warn(Reason::Duplicate, name.span, message);
    }
    let groups = section.statements.iter().filter(|line| line.name() == "group");
    let groups = groups.filter_map(|line| line.text(0).map(str::to_owned)).collect();
    let mut list = Userlist { name: name.text().to_owned(), users: Vec::new(), groups };
    for line in section.statements.iter().filter(|line| line.name() == "user") {
        user(context, line, &mut list);
    }
    for line in section.statements.iter().filter(|line| line.name() == "group") {
        group(context, line, &mut list);
    }
    for line in section.statements.iter().filter(|line| line.name() == "user") {
        let groups = line.settings(1).iter().filter(|setting| setting.name() == "groups");
        for setting in groups {
            for group in setting
                .text(0)
                .unwrap_or_default()
                .split(',')
                .filter(|group| !list.groups.iter().any(|known| known == group))
            {
                let message = format!(
                    "userlist '{name}': no such group '{group}' specified in user '{}'",
                    line.text(0).unwrap_or_default()
                );
                context.about(Severity::Alert, Reason::UnknownReference, span_at(setting, 0), message);
            }
        }
    }
    lists.push(list);
}

fn user(context: &mut Context<'_>, line: &Statement, list: &mut Userlist) {
    let Some(name) = line.text(0) else { return };
    if list.users.iter().any(|user| user.name == name) {
        let message = format!("ignoring duplicate user '{name}' in list '{}'.", list.name);
        return context.warn(Reason::Duplicate, span_at(line, 0), message);
    }
    let mut password = None;
    let mut groups = Vec::new();
    for setting in line.settings(1) {
        let Some(text) = setting.text(0) else { continue };
        match setting.name() {
            "password" => password = Some(Password::Crypt(text.to_owned())),
            "insecure-password" => password = Some(Password::Clear(text.to_owned())),
            _ => groups = text.split(',').map(str::to_owned).collect(),
        }
    }
    // Without a password nobody can log in as this user: no hash is the empty string.
    let password = password.unwrap_or(Password::Crypt(String::new()));
    list.users.push(User { name: name.to_owned(), password, groups });
}

fn group(context: &mut Context<'_>, line: &Statement, list: &mut Userlist) {
    let Some(group) = line.text(0) else { return };
    for setting in line.settings(1) {
        for name in setting.text(0).unwrap_or_default().split(',') {
            let Some(user) = list.users.iter_mut().find(|user| user.name == name) else {
                let list = &list.name;
                let message =
                    format!("userlist '{list}': no such user '{name}' specified in group '{group}'");
                let alert = Diagnostic::alert(Reason::UnknownReference, span_at(setting, 0), message);
                context.say(alert.head(Head::Plain));
                continue;
            };
            if !user.groups.iter().any(|known| known == group) {
                user.groups.push(group.to_owned());
            }
        }
    }
}
