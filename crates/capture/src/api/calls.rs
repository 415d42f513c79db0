//! A model call that no gateway saw, as an application tells of it.

use super::ApiError;
use super::fields::Fields;
use super::kinds::Draft;
use super::names::Names;
use inferlog_record::body::{AbsentReason, Inference, Model, ModelAbsent, Prompt, StepOutcome, Usage};
use inferlog_record::{Count, Digest, LIST_ITEMS_MAX, PayloadRole, identity};

impl Draft<'_, '_> {
    pub(super) fn inference(&mut self) -> Result<Inference, ApiError> {
        let (outcome, error) = self.step()?;
        let content = |draft: &mut Self, member| draft.fields.content(member);
        let (input, output) = (content(self, "input")?, content(self, "output")?);
        self.asked(PayloadRole::InputAssembled, input);
        self.result(PayloadRole::OutputRaw, output, outcome);
        let params = content(self, "params")?;
        self.asked(PayloadRole::ParamsRequested, params);
        for (member, role) in [
            ("params_effective", PayloadRole::ParamsEffective),
            ("tools", PayloadRole::Tools),
            ("explanation", PayloadRole::Explanation),
        ] {
            let found = content(self, member)?;
            self.payload(role, found);
        }
        let prompts = self.prompts()?;
        let model = self.model(outcome)?;
        let Self { fields, .. } = self;
        Ok(Inference {
            choices: fields.count("choices")?.map(Count),
            error,
            finish_reason: fields.word("finish_reason")?,
            model,
            outcome,
            prompts: prompts.into(),
            status: None,
            stream: fields.flag("stream")?,
            time_to_first_byte_ns: None,
            toolsets: Vec::new().into(),
            usage: usage(fields)?,
            wire: None,
        })
    }

    fn prompts(&mut self) -> Result<Vec<Prompt>, ApiError> {
        let prompts = self.fields.array("prompts")?;
        if prompts.len() > LIST_ITEMS_MAX {
            return Err(self.fields.wrong("prompts", format_args!("write at most {LIST_ITEMS_MAX}")));
        }
        let mut listed = Vec::with_capacity(prompts.len());
        for (at, raw) in prompts.into_iter().enumerate() {
            let mut prompt = Fields::read(raw, format!("{}.prompts[{at}]", self.fields.at()))?;
            let role = prompt.needed("role")?;
            let name = self.names.name(&mut prompt, "name")?;
            let version = self.names.name(&mut prompt, "version")?;
            let sha256 = prompt.word("sha256")?;
            let content = prompt.content("content")?;
            let is_registered = name.is_some() && version.is_some() && sha256.is_some();
            if content.is_none() && !is_registered {
                return Err(
                    prompt.wrong("content", "is missing; a registered prompt has name, version and sha256")
                );
            }
            prompt.end()?;
            let payload = content.map(|said| self.named(PayloadRole::Prompt, said.into())).transpose()?;
            listed.push(Prompt { name, payload, role, sha256, version });
        }
        Ok(listed)
    }

    fn model(&mut self, outcome: StepOutcome) -> Result<Model, ApiError> {
        let at = format!("{}.model", self.fields.at());
        let raw = self.fields.raw("model").ok_or_else(|| self.fields.wrong("model", "is missing"))?;
        let mut model = Fields::read(raw, at)?;
        let said = |member, model: &mut Fields<'_>, names: &mut Names| names.name(model, member);
        let [requested, returned, version, fingerprint, deployment] =
            ["requested", "returned", "version", "fingerprint", "deployment"]
                .map(|member| said(member, &mut model, &mut self.names));
        let (requested, returned, version) = (requested?, returned?, version?);
        let (fingerprint, deployment) = (fingerprint?, deployment?);
        let digest: Option<Digest> = model.word("digest")?;
        model.end()?;
        let not_said = match outcome {
            StepOutcome::Ok => AbsentReason::NotAnswered,
            _ => AbsentReason::NoAnswer,
        };
        let absent = ModelAbsent {
            deployment: deployment.is_none().then_some(AbsentReason::NotConfigured),
            digest: digest.is_none().then_some(AbsentReason::NotConfigured),
            fingerprint: fingerprint.is_none().then_some(not_said),
            requested: requested.is_none().then_some(AbsentReason::NotAsked),
            returned: returned.is_none().then_some(not_said),
            version: version.is_none().then_some(not_said),
        };
        let name = returned.as_ref().or(requested.as_ref()).filter(|name| !name.is_unlisted());
        let pinned = version.as_ref().filter(|name| !name.is_unlisted());
        let identity =
            identity(name.map(|name| name.as_str()), pinned.map(|name| name.as_str()), digest.as_ref());
        Ok(Model {
            absent: Some(absent),
            deployment,
            digest,
            fingerprint,
            identity,
            requested,
            returned,
            version,
        })
    }
}

fn usage(fields: &mut Fields<'_>) -> Result<Option<Usage>, ApiError> {
    let Some(mut usage) = fields.object("usage")? else { return Ok(None) };
    let mut tokens = |member| Ok::<_, ApiError>(usage.count(member)?.map(Count));
    let found = Usage {
        cached: tokens("cached")?,
        input: tokens("input")?,
        output: tokens("output")?,
        reasoning: tokens("reasoning")?,
    };
    usage.end()?;
    Ok(Some(found))
}
