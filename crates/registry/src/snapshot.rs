//! What is registered at one moment.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use inferlog_disk::Fs;
use inferlog_record::body::PromptRole;
use inferlog_record::{ClearName, Digest};

use crate::index::{self, IndexFile};
use crate::objects::Objects;
use crate::prompts::{Pattern, Prompts};
use crate::template::Template;
use crate::tools::Tools;
use crate::{
    AliasEntry, Entry, EntryKind, ModelEntry, PolicyEntry, PromptEntry, Refusal, RegistryError, Result,
    ToolsEntry,
};

/// A prompt that a text is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// Its name.
    pub name: ClearName,
    /// Its version.
    pub version: ClearName,
    /// SHA-256 of what was registered: of the template, not of the text with its values.
    pub sha256: Digest,
    /// Whose words they are, where that was said when it was registered.
    pub role: Option<PromptRole>,
    /// The values in a template, in the order in which it names them.
    pub variables: Vec<(String, String)>,
}

/// Registered tools that a request offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolsMatch {
    /// The whole of it, as it was registered.
    pub whole: Option<ToolsEntry>,
    /// Each tool of the list that was registered by itself, with its place in the list.
    pub each: Vec<(usize, ToolsEntry)>,
}

/// What is registered at one moment; never changes. Readers share it.
#[derive(Clone, Debug)]
pub struct Snapshot {
    objects: Objects,
    entries: Vec<Entry>,
    /// The newest entry of each version.
    names: HashMap<EntryKind, HashMap<Box<str>, Versions>>,
    aliases: HashMap<Box<str>, HashMap<Box<str>, ClearName>>,
    /// Every prompt's, by its object.
    templates: HashMap<(Digest, bool), Arc<Template>>,
    prompts: Arc<Prompts>,
    tools: Arc<Tools>,
}

/// The versions of a name, in the order in which they were registered, and the entry that holds now.
type Versions = Vec<(ClearName, usize)>;

impl Snapshot {
    /// Reads what is registered now, without a lock; nothing is registered where there is no registry.
    pub fn load(fs: &Arc<dyn Fs>, registry: &Path) -> Result<Self> {
        let mut loaded = Self::empty(Objects::new(fs.clone(), registry));
        for (line, entry) in IndexFile::read(&**fs, registry)?.lines() {
            let entry = entry.map_err(|what| index::fault(registry, line, what))?;
            let taken_in = loaded.compare(&entry).map_err(Into::into).and_then(|_| loaded.take_in(entry));
            taken_in.map_err(|error| match error {
                RegistryError::Refused(what) => index::fault(registry, line, what),
                other => other,
            })?;
        }
        loaded.settle();
        Ok(loaded)
    }

    fn empty(objects: Objects) -> Self {
        Self {
            objects,
            entries: Vec::new(),
            names: HashMap::new(),
            aliases: HashMap::new(),
            templates: HashMap::new(),
            prompts: Arc::default(),
            tools: Arc::default(),
        }
    }

    /// Takes in an entry that was compared, and whose object is there.
    pub(crate) fn take_in(&mut self, entry: Entry) -> Result<()> {
        let at = self.entries.len();
        match &entry {
            Entry::Prompt(prompt) => self.load_template(prompt)?,
            // Read, to know that it is there whenever it is asked for.
            Entry::Tools(ToolsEntry { sha256, .. }) | Entry::Policy(PolicyEntry { sha256, .. }) => {
                self.objects.read(*sha256)?;
            }
            Entry::Model(_) => {}
            Entry::Alias(AliasEntry { name, alias, version, .. }) => {
                let aliases = self.aliases.entry(name.as_str().into()).or_default();
                match version {
                    Some(version) => aliases.insert(alias.as_str().into(), version.clone()),
                    None => aliases.remove(alias.as_str()),
                };
            }
        }
        if let (false, Some(version)) = (entry.kind() == EntryKind::Alias, entry.version()) {
            let names = self.names.entry(entry.kind()).or_default();
            let versions = names.entry(entry.name().as_str().into()).or_default();
            match versions.iter_mut().find(|(known, _)| known == version) {
                Some(known) => known.1 = at,
                None => versions.push((version.clone(), at)),
            }
        }
        self.entries.push(entry);
        Ok(())
    }

    /// Makes lookups see what was taken in.
    pub(crate) fn settle(&mut self) {
        let patterns = self.entries.iter().enumerate().filter_map(|(at, entry)| match entry {
            Entry::Prompt(prompt) => {
                let template = self.templates.get(&(prompt.sha256, prompt.literal))?;
                Some(Pattern { entry: at, template: template.clone() })
            }
            _ => None,
        });
        self.prompts = Arc::new(Prompts::new(patterns.collect()));
        let tools = self.entries.iter().enumerate().filter_map(|(at, entry)| match entry {
            Entry::Tools(tools) => Some((tools.sha256, at)),
            _ => None,
        });
        self.tools = Arc::new(Tools::new(tools.collect()));
    }

    fn load_template(&mut self, prompt: &PromptEntry) -> Result<()> {
        let key = (prompt.sha256, prompt.literal);
        if !self.templates.contains_key(&key) {
            let text = self.text(prompt.sha256)?;
            let template = match prompt.literal {
                true => Template::literal(&text),
                false => Template::parse(&text)?,
            };
            self.templates.insert(key, Arc::new(template));
        }
        Ok(())
    }

    /// Whether an entry agrees with what is registered under its name and version. An entry that says the same is no new one:
    /// `false`.
    pub(crate) fn compare(&self, entry: &Entry) -> Result<bool, Refusal> {
        let taken = |version: &ClearName, differs| Refusal::Taken {
            kind: entry.kind(),
            name: entry.name().clone(),
            version: version.clone(),
            differs,
        };
        let known = entry
            .version()
            .and_then(|version| self.newest(entry.kind(), entry.name().as_str(), version.as_str()));
        match (entry, known) {
            (Entry::Alias(alias), _) => {
                if let Some(version) = &alias.version
                    && self.newest(EntryKind::Model, alias.name.as_str(), version.as_str()).is_none()
                {
                    return Err(Refusal::NoVersion { name: alias.name.clone(), version: version.clone() });
                }
                Ok(self.alias(alias.name.as_str(), alias.alias.as_str()) != alias.version.as_ref())
            }
            (Entry::Prompt(new), Some(Entry::Prompt(old))) => match () {
                () if new.sha256 != old.sha256 => Err(taken(&new.version, "another text")),
                () if new.literal != old.literal => Err(taken(&new.version, "another meaning of `{{`")),
                () if new.role != old.role => Err(taken(&new.version, "another role")),
                () => Ok(false),
            },
            (Entry::Tools(new), Some(Entry::Tools(old))) => match new.sha256 == old.sha256 {
                true => Ok(false),
                false => Err(taken(&new.version, "other tools")),
            },
            (Entry::Policy(new), Some(Entry::Policy(old))) => match new.sha256 == old.sha256 {
                true => Ok(false),
                false => Err(taken(&new.version, "another text")),
            },
            (Entry::Model(new), Some(Entry::Model(old))) => match (new.digest, old.digest) {
                (Some(new_digest), Some(digest)) if new_digest != digest => {
                    Err(taken(&new.version, "another digest"))
                }
                // Known before, known to be elsewhere now, or known at last.
                (Some(_), _) => Ok((new.digest, &new.location) != (old.digest, &old.location)),
                (None, _) if self.was_at(new) => Ok(false),
                (None, _) => {
                    Err(taken(&new.version, "another location, and no digest says that it is the same"))
                }
            },
            _ => Ok(true),
        }
    }

    /// Whether a model's version was ever registered at this place.
    fn was_at(&self, model: &ModelEntry) -> bool {
        self.entries.iter().any(|entry| {
            matches!(entry, Entry::Model(old)
                if (&old.name, &old.version, &old.location) == (&model.name, &model.version, &model.location))
        })
    }

    fn newest(&self, kind: EntryKind, name: &str, version: &str) -> Option<&Entry> {
        let versions = self.names.get(&kind)?.get(name)?;
        let (_, at) = versions.iter().find(|(known, _)| known.as_str() == version)?;
        self.entries.get(*at)
    }
}

/// Reading.
impl Snapshot {
    /// Every entry, oldest first; of a model whose digest or place became known later, both.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The versions of a name, in the order in which they were registered; what holds now, where a model was completed.
    pub fn versions(&self, kind: EntryKind, name: &str) -> impl DoubleEndedIterator<Item = &Entry> {
        let versions = self.names.get(&kind).and_then(|names| names.get(name));
        versions.into_iter().flatten().filter_map(|(_, at)| self.entries.get(*at))
    }

    /// What a name and version stand for. Of a model, the version may be an alias.
    pub fn resolve(&self, kind: EntryKind, name: &str, version: &str) -> Option<&Entry> {
        match kind {
            EntryKind::Model | EntryKind::Alias => {
                self.newest(EntryKind::Model, name, version).or_else(|| {
                    self.newest(EntryKind::Model, name, self.aliases.get(name)?.get(version)?.as_str())
                })
            }
            kind => self.newest(kind, name, version),
        }
    }

    /// A model by its version, or an alias of it.
    pub fn model(&self, name: &str, version: &str) -> Option<&ModelEntry> {
        match self.resolve(EntryKind::Model, name, version)? {
            Entry::Model(model) => Some(model),
            _ => None,
        }
    }

    /// The policy of a system that is in force: the one registered last.
    pub fn policy(&self, system: &str) -> Option<&PolicyEntry> {
        self.policies(system).next_back()
    }

    /// Every policy of a system, in the order in which they were registered.
    pub fn policies(&self, system: &str) -> impl DoubleEndedIterator<Item = &PolicyEntry> {
        self.versions(EntryKind::Policy, system).filter_map(|entry| match entry {
            Entry::Policy(policy) => Some(policy),
            _ => None,
        })
    }

    /// The systems that have a policy, sorted.
    pub fn systems_with_policy(&self) -> Vec<&str> {
        let names = self.names.get(&EntryKind::Policy).into_iter().flatten();
        let mut systems: Vec<&str> = names.map(|(name, _)| &**name).collect();
        systems.sort_unstable();
        systems
    }

    /// The version that a model's alias stands for.
    pub fn alias(&self, name: &str, alias: &str) -> Option<&ClearName> {
        self.aliases.get(name)?.get(alias)
    }

    /// The words that stand for a model's version, sorted.
    pub fn aliases(&self, name: &str, version: &str) -> Vec<&str> {
        let aliases = self.aliases.get(name).into_iter().flatten();
        let mut words: Vec<&str> =
            aliases.filter(|(_, known)| known.as_str() == version).map(|(word, _)| &**word).collect();
        words.sort_unstable();
        words
    }

    /// Every word that stands for a version of a model now.
    pub fn words(&self, name: &str) -> impl Iterator<Item = &str> {
        self.aliases.get(name).into_iter().flatten().map(|(word, _)| &**word)
    }

    /// An object's content, checked against its name.
    pub fn object(&self, sha256: Digest) -> Result<Vec<u8>> {
        self.objects.read(sha256)
    }

    /// A prompt's text, or the JSON of tools.
    pub fn text(&self, sha256: Digest) -> Result<String> {
        String::from_utf8(self.object(sha256)?).map_err(|error| RegistryError::Object {
            path: self.objects.path(sha256),
            what: error.to_string(),
        })
    }

    /// The names of the values in a prompt's template.
    pub fn variables(&self, prompt: &PromptEntry) -> &[String] {
        self.templates.get(&(prompt.sha256, prompt.literal)).map_or(&[], |template| template.names())
    }

    /// The registered prompt that a text is: the very text, else the template with the most words of its own; of two alike the
    /// one registered last.
    pub fn match_prompt(&self, text: &str) -> Option<Match> {
        let (at, variables) = self.prompts.find(text)?;
        match self.entries.get(at)? {
            Entry::Prompt(PromptEntry { name, version, sha256, role, .. }) => Some(Match {
                name: name.clone(),
                version: version.clone(),
                sha256: *sha256,
                role: *role,
                variables,
            }),
            _ => None,
        }
    }

    /// The registered tools that a request's JSON of tools is, as a whole or one by one. Spacing and the order of keys do not
    /// matter; the order of a list does. `None` if nothing of it is registered, or it is no JSON.
    pub fn match_tools(&self, json: &[u8]) -> Option<ToolsMatch> {
        self.tools.find(json).map(|(whole, each)| ToolsMatch {
            whole: whole.and_then(|at| self.tools_entry(at)),
            each: each.iter().filter_map(|(place, at)| Some((*place, self.tools_entry(*at)?))).collect(),
        })
    }

    fn tools_entry(&self, at: usize) -> Option<ToolsEntry> {
        match self.entries.get(at)? {
            Entry::Tools(tools) => Some(tools.clone()),
            _ => None,
        }
    }
}
