//! Conditions and updates as DynamoDB writes them.
//!
//! Every name and value goes in as a placeholder, so that no field name can mean anything to DynamoDB. An
//! expired item counts as absent: each condition says so itself. Parentheses are put only where they are
//! needed, since DynamoDB refuses doubled ones.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use mandi_core::ports::{Condition, Fields, Update};

use super::item::{END, FORMAT, PARTITION, attribute_of, format, number, value};

/// An expression's names and values, as they are gathered.
#[derive(Debug, Default)]
pub struct Placeholders {
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

impl Placeholders {
    /// The placeholder of an attribute's name.
    pub fn name(&mut self, attribute: &str) -> String {
        if let Some((placeholder, _)) = self.names.iter().find(|(_, known)| *known == attribute) {
            return placeholder.clone();
        }
        let placeholder = format!("#n{}", self.names.len());
        self.names.insert(placeholder.clone(), attribute.to_owned());
        placeholder
    }

    /// The placeholder of a value.
    pub fn value(&mut self, value: AttributeValue) -> String {
        if let Some((placeholder, _)) = self.values.iter().find(|(_, known)| **known == value) {
            return placeholder.clone();
        }
        let placeholder = format!(":v{}", self.values.len());
        self.values.insert(placeholder.clone(), value);
        placeholder
    }

    /// The names, `None` when there are none: DynamoDB refuses empty maps.
    pub fn names(&self) -> Option<HashMap<String, String>> {
        (!self.names.is_empty()).then(|| self.names.clone())
    }

    /// The values, `None` when there are none.
    pub fn values(&self) -> Option<HashMap<String, AttributeValue>> {
        (!self.values.is_empty()).then(|| self.values.clone())
    }
}

/// A truth, as a tree.
enum Truth {
    Always,
    Never,
    Leaf(String),
    And(Vec<Truth>),
    Or(Vec<Truth>),
}

impl Truth {
    /// All of them, with what is settled taken out.
    fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut open = Vec::new();
        for part in parts {
            match part {
                Self::Always => {}
                Self::Never => return Self::Never,
                Self::And(parts) => open.extend(parts),
                part => open.push(part),
            }
        }
        match open.len() {
            0 => Self::Always,
            1 => open.remove(0),
            _ => Self::And(open),
        }
    }

    /// One of them, with what is settled taken out.
    fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut open = Vec::new();
        for part in parts {
            match part {
                Self::Always => return Self::Always,
                Self::Never => {}
                Self::Or(parts) => open.extend(parts),
                part => open.push(part),
            }
        }
        match open.len() {
            0 => Self::Never,
            1 => open.remove(0),
            _ => Self::Or(open),
        }
    }

    fn render(self, placeholders: &mut Placeholders) -> Option<String> {
        match self {
            Self::Always => None,
            Self::Never => {
                let key = placeholders.name(PARTITION);
                Some(format!("attribute_exists({key}) AND attribute_not_exists({key})"))
            }
            part => Some(part.text()),
        }
    }

    fn text(self) -> String {
        let (parts, word) = match self {
            Self::Leaf(text) => return text,
            Self::And(parts) => (parts, " AND "),
            Self::Or(parts) => (parts, " OR "),
            // Settled truths are taken out before.
            Self::Always | Self::Never => return String::new(),
        };
        let inner = parts.into_iter().map(|part| match part {
            Self::Leaf(text) => text,
            part => format!("({})", part.text()),
        });
        inner.collect::<Vec<_>>().join(word)
    }
}

/// A condition at a moment, and what goes with it.
#[derive(Debug)]
pub struct Conditions<'a> {
    /// Names and values.
    pub placeholders: &'a mut Placeholders,
    /// The moment, in seconds since the epoch.
    pub now_s: i64,
}

impl Conditions<'_> {
    /// The expression of a condition; `None` when it always holds.
    pub fn of(&mut self, condition: &Condition) -> Option<String> {
        self.truth(condition).render(self.placeholders)
    }

    /// The expression of a condition for an update, which must not build on an expired item.
    pub fn of_update(&mut self, condition: &Condition) -> Option<String> {
        let truth = match settled(condition) {
            Some(false) => Truth::Never,
            _ => Truth::all([self.not_expired(), self.truth(condition)]),
        };
        truth.render(self.placeholders)
    }

    /// The expression of a condition where DynamoDB insists on one.
    pub fn of_check(&mut self, condition: &Condition) -> String {
        self.of(condition).unwrap_or_else(|| {
            let key = self.placeholders.name(PARTITION);
            format!("attribute_exists({key}) OR attribute_not_exists({key})")
        })
    }

    /// The expression that an item is not expired, for a query.
    pub fn unexpired(&mut self) -> Option<String> {
        self.not_expired().render(self.placeholders)
    }

    /// The expression that an item is there and expired.
    pub fn expired(&mut self) -> Option<String> {
        self.has_expired().render(self.placeholders)
    }

    /// Parts of which the truth is settled are left out before they ask for placeholders: DynamoDB refuses
    /// placeholders that no expression uses.
    fn truth(&mut self, condition: &Condition) -> Truth {
        match settled(condition) {
            Some(true) => return Truth::Always,
            Some(false) => return Truth::Never,
            None => {}
        }
        match condition {
            Condition::Always => Truth::Always,
            Condition::Absent => {
                let key = self.placeholders.name(PARTITION);
                Truth::any([Truth::Leaf(format!("attribute_not_exists({key})")), self.has_expired()])
            }
            Condition::Present => {
                let key = self.placeholders.name(PARTITION);
                Truth::all([Truth::Leaf(format!("attribute_exists({key})")), self.not_expired()])
            }
            Condition::Equals(field, expected) => self.compared(field, "=", value(expected)),
            Condition::LessThan(field, bound) => self.compared(field, "<", number(*bound)),
            Condition::FieldAbsent(field) => {
                let name = self.placeholders.name(&attribute_of(field));
                Truth::any([Truth::Leaf(format!("attribute_not_exists({name})")), self.has_expired()])
            }
            Condition::All(conditions) => {
                Truth::all(conditions.iter().map(|part| self.truth(part)).collect::<Vec<_>>())
            }
            Condition::Any(conditions) => {
                Truth::any(conditions.iter().map(|part| self.truth(part)).collect::<Vec<_>>())
            }
        }
    }

    fn compared(&mut self, field: &str, operator: &str, bound: AttributeValue) -> Truth {
        let name = self.placeholders.name(&attribute_of(field));
        let bound = self.placeholders.value(bound);
        Truth::all([Truth::Leaf(format!("{name} {operator} {bound}")), self.not_expired()])
    }

    fn not_expired(&mut self) -> Truth {
        let (end, now) = self.end_and_now();
        Truth::any([Truth::Leaf(format!("attribute_not_exists({end})")), Truth::Leaf(format!("{end} > {now}"))])
    }

    fn has_expired(&mut self) -> Truth {
        let (end, now) = self.end_and_now();
        Truth::Leaf(format!("{end} <= {now}"))
    }

    fn end_and_now(&mut self) -> (String, String) {
        (self.placeholders.name(END), self.placeholders.value(number(self.now_s)))
    }
}

/// Whether a condition holds, where that does not depend on the item.
fn settled(condition: &Condition) -> Option<bool> {
    match condition {
        Condition::Always => Some(true),
        Condition::All(parts) => settled_by(parts, false),
        Condition::Any(parts) => settled_by(parts, true),
        _ => None,
    }
}

/// What the parts settle together, where one that is `decisive` is enough.
fn settled_by(parts: &[Condition], decisive: bool) -> Option<bool> {
    let parts: Vec<_> = parts.iter().map(settled).collect();
    if parts.contains(&Some(decisive)) {
        return Some(decisive);
    }
    parts.iter().all(Option::is_some).then_some(!decisive)
}

/// The expression of an update. It always sets the format, so that an update of an absent item makes it.
pub fn update(update: &Update, placeholders: &mut Placeholders) -> String {
    let mut set = vec![(FORMAT.to_owned(), format())];
    if let Some(end) = update.expires_at {
        set.push((END.to_owned(), number(end.unix_s_ceil())));
    }
    let mut add = Vec::new();
    for (field, amount) in &update.add {
        // A field that is set and added to holds the sum: DynamoDB takes each name once.
        if !update.set.contains_key(field) && !update.remove.contains(field) {
            add.push((attribute_of(field), number(*amount)));
        }
    }
    for (field, stored) in summed(update) {
        if !update.remove.contains(&field) {
            set.push((attribute_of(&field), value(&stored)));
        }
    }
    let mut expression = String::from("SET ");
    expression.push_str(&joined(placeholders, set, " = "));
    if !add.is_empty() {
        expression.push_str(" ADD ");
        expression.push_str(&joined(placeholders, add, " "));
    }
    let mut removed: Vec<_> = update.remove.iter().map(|field| placeholders.name(&attribute_of(field))).collect();
    removed.sort_unstable();
    removed.dedup();
    if !removed.is_empty() {
        expression.push_str(" REMOVE ");
        expression.push_str(&removed.join(", "));
    }
    expression
}

/// What an update sets, with what it adds to the same fields.
fn summed(update: &Update) -> Fields {
    let mut sums = update.clone();
    sums.add.retain(|field, _| update.set.contains_key(field));
    let key = mandi_core::ports::Key::new(mandi_core::ports::Partition::of_platform(&[]), "");
    let mut record = mandi_core::ports::Record::new(key);
    sums.remove.clear();
    sums.apply(&mut record);
    record.fields
}

fn joined(placeholders: &mut Placeholders, pairs: Vec<(String, AttributeValue)>, between: &str) -> String {
    let pairs = pairs.into_iter().map(|(name, value)| {
        let name = placeholders.name(&name);
        format!("{name}{between}{}", placeholders.value(value))
    });
    pairs.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(condition: &Condition) -> Option<String> {
        let mut placeholders = Placeholders::default();
        let mut text = Conditions { placeholders: &mut placeholders, now_s: 100 }.of(condition)?;
        for (placeholder, name) in &placeholders.names {
            text = text.replace(placeholder, name);
        }
        for (placeholder, value) in &placeholders.values {
            text = text.replace(placeholder, &format!("{:?}", value.as_n().or(value.as_s()).unwrap_or(&String::new())));
        }
        Some(text)
    }

    #[test]
    fn a_condition_says_itself_that_an_expired_item_is_absent() {
        assert_eq!(written(&Condition::Absent).as_deref(), Some(r#"attribute_not_exists(pk) OR expires_at <= "100""#));
        assert_eq!(
            written(&Condition::equals("state", "open")).as_deref(),
            Some(r#"state = "open" AND (attribute_not_exists(expires_at) OR expires_at > "100")"#)
        );
    }

    #[test]
    fn what_always_holds_needs_no_expression() {
        let settled =
            Condition::All(vec![Condition::Always, Condition::Any(vec![Condition::Always, Condition::Absent])]);
        assert_eq!(written(&settled), None);
    }

    #[test]
    fn parentheses_are_never_doubled() {
        let nested = Condition::All(vec![Condition::Any(vec![Condition::All(vec![Condition::Any(vec![
            Condition::Absent,
            Condition::equals("a", 1),
        ])])])]);
        let text = written(&nested).unwrap_or_default();
        assert_eq!(
            text,
            "attribute_not_exists(pk) OR expires_at <= \"100\" OR (a = \"1\" AND (attribute_not_exists(expires_at) OR \
             expires_at > \"100\"))"
        );
    }

    #[test]
    fn a_field_that_is_set_added_to_and_removed_is_named_once() {
        let change = Update::new().set("a", 2).add("a", 3).set("b", 1).remove("b").add("c", 1).remove("d");
        let mut placeholders = Placeholders::default();
        let text = update(&change, &mut placeholders);
        let name = |name: &str| placeholders.names.iter().find(|(_, known)| *known == name).map(|(key, _)| key.clone());
        for field in ["a", "b", "c", "d"] {
            let placeholder = name(field).unwrap_or_default();
            assert_eq!(text.matches(placeholder.as_str()).count(), 1, "{field} in {text}");
        }
        assert!(placeholders.values.values().any(|value| *value == number(5)));
    }
}
