//! Which registered prompt a text is.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use inferlog_record::Digest;

use crate::objects::sha256;
use crate::template::Template;

/// So much of a template's first words is looked up; the rest is compared.
const PREFIX_BYTES_MAX: usize = 32;

/// A prompt as it is matched: `entry` is its place in the index.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    pub(crate) entry: usize,
    pub(crate) template: Arc<Template>,
}

/// Templates by their first bytes.
type Places = HashMap<Box<[u8]>, Vec<usize>>;

/// All prompts, ready to be looked up.
#[derive(Debug, Default)]
pub(crate) struct Prompts {
    /// Texts without places, by SHA-256; and how long they are, so that other texts need not be hashed.
    exact: HashMap<Digest, usize>,
    exact_lens: HashSet<usize>,
    /// Templates, the most specific first, of two alike the newer.
    templates: Vec<Pattern>,
    /// Their places in `templates`, by how they begin; one map for each length of a beginning.
    by_prefix: Vec<(usize, Places)>,
}

impl Prompts {
    /// From all prompts, oldest first.
    pub(crate) fn new(patterns: Vec<Pattern>) -> Self {
        let (templates, texts): (Vec<_>, Vec<_>) =
            patterns.into_iter().partition(|pattern| !pattern.template.names().is_empty());
        let mut prompts = Self { templates, ..Self::default() };
        for Pattern { entry, template } in texts {
            // Of two that are the same text the newer stays. The words, not the text: `\{{` stands for `{{`.
            prompts.exact.insert(sha256(template.prefix()), entry);
            prompts.exact_lens.insert(template.prefix().len());
        }
        prompts
            .templates
            .sort_by_key(|pattern| std::cmp::Reverse((pattern.template.words_len(), pattern.entry)));
        for (place, Pattern { template, .. }) in prompts.templates.iter().enumerate() {
            let prefix = template.prefix();
            let prefix = &prefix[..prefix.len().min(PREFIX_BYTES_MAX)];
            let lens = &mut prompts.by_prefix;
            let at = lens.iter().position(|(len, _)| *len == prefix.len()).unwrap_or_else(|| {
                lens.push((prefix.len(), Places::new()));
                lens.len() - 1
            });
            lens[at].1.entry(prefix.into()).or_default().push(place);
        }
        prompts
    }

    /// The prompt that a text is, and the values in it.
    pub(crate) fn find(&self, text: &str) -> Option<(usize, Vec<(String, String)>)> {
        if self.exact_lens.contains(&text.len())
            && let Some(entry) = self.exact.get(&sha256(text.as_bytes()))
        {
            return Some((*entry, Vec::new()));
        }
        let begins_so = self.by_prefix.iter().filter_map(|(len, prefixes)| {
            text.as_bytes().get(..*len).and_then(|prefix| prefixes.get(prefix))
        });
        let mut candidates: Vec<usize> = begins_so.flatten().copied().collect();
        candidates.sort_unstable();
        candidates.into_iter().find_map(|place| {
            let Pattern { entry, template } = &self.templates[place];
            let values = template.values(text)?;
            let named = template.names().iter().zip(values);
            Some((*entry, named.map(|(name, value)| (name.clone(), value.to_owned())).collect()))
        })
    }
}
