//! The morning of the decision.

use inferlog_record::body::{
    Context, ContextAdded, DecisionClosed, DecisionJoined, DecisionOpened, Document, ErrorCode, ExchangeEnd,
    FinishReason, Identical, Inference, Method, Model, ModelIdentity, Outcome, Output, Prompt, PromptRole,
    Reasoning, ReasoningForm, Retrieval, Stage, StepOutcome, ToolCall, Toolset, Transform, Tri, Usage, Wire,
};
use inferlog_record::{Count, Digest, Event, Id, Millionths, PayloadRole as Role, Timestamp, Why};

use super::content as say;
use super::{Agentic, MS, Named, bystander, declared};
use crate::world::name;

/// How a tool answered, or why it did not.
type Answer<'a> = Result<&'a str, (ErrorCode, &'a str)>;

impl Agentic {
    pub(super) fn decide(&mut self, named: &mut Named) {
        let opened = self.opened();
        let opened_id = opened.id;
        self.write(vec![opened]);
        let mut enriched = self.sdk(
            ContextAdded {
                flags: vec![name("proxy-filter"), name("two-stage")].into(),
                ..ContextAdded::default()
            },
            &[opened_id],
        );
        self.json(&mut enriched, Role::InputEnriched, say::ENRICHED);
        let enriched_id = enriched.id;
        self.write(vec![enriched]);
        bystander(&mut self.sealer, "Alan");

        let [policies, products] = self.retrievals(enriched_id);
        let sources = [policies.id, products.id];
        self.write(vec![policies, products]);

        let first = self.first_call(&sources);
        let first_id = first.id;
        let mut thought = self.gateway(Reasoning { form: ReasoningForm::Summary }, &[]);
        thought.parent = Some(first_id);
        self.text(&mut thought, Role::Reasoning, say::FIRST_THOUGHT);
        self.write(vec![first, thought]);
        bystander(&mut self.sealer, "Edsger");

        let (joined, tools) = self.tools(first_id);
        let results: Vec<Id> = tools.iter().skip(1).map(|tool| tool.id).collect();
        let joined_payload = (joined.payloads[0], joined.id);
        self.write([vec![joined], tools].concat());

        let second = self.second_call(&results, joined_payload);
        let second_id = second.id;
        let mut thought = self.gateway(Reasoning { form: ReasoningForm::Full }, &[]);
        thought.parent = Some(second_id);
        self.text(&mut thought, Role::Reasoning, say::SECOND_THOUGHT);
        self.write(vec![second, thought]);
        self.answer(second_id, named);
        bystander(&mut self.sealer, "Barbara");
    }

    fn opened(&mut self) -> Event {
        let context = Context {
            build: Some(name("branch-desk-4.12.3")),
            environment: Some(name("production")),
            flags: Vec::new().into(),
            region: Some(name("eu-central")),
            variant: Some(name("B")),
        };
        let body = DecisionOpened {
            context: Some(context),
            method: Some(Method::Post),
            route: Some(name("loans")),
            wire: Some(Wire::OpenaiChat),
        };
        let mut opened = self.gateway(body, &[]);
        declared(&mut opened);
        self.json(&mut opened, Role::InputRaw, say::INPUT_RAW);
        self.json(&mut opened, Role::Headers, say::HEADERS);
        self.json(&mut opened, Role::ExternalIds, say::EXTERNAL_IDS);
        opened
    }

    /// Two at once; the last document of the first is too large to be kept.
    fn retrievals(&mut self, after: Id) -> [Event; 2] {
        let policies = self.retrieval(
            (["lending-policies", "2026-10"], say::POLICY_QUERY),
            (&say::POLICY_DOCUMENTS, &[912_400, 874_000, 641_300], 12),
            after,
        );
        let mut products = self.retrieval(
            (["product-terms", "2026-11"], say::PRODUCT_QUERY),
            (&say::PRODUCT_DOCUMENTS, &[805_000, 512_750], 2),
            after,
        );
        products.started_at = policies.started_at;
        products.ended_at = policies.started_at.map(|at| Timestamp(at.nanos() + 24 * MS));
        [policies, products]
    }

    fn retrieval(
        &mut self,
        ([index, version], query): ([&str; 2], &str),
        (documents, scores, total): (&[&str], &[i64], u64),
        after: Id,
    ) -> Event {
        let mut found = self.sdk(
            Retrieval {
                documents: Vec::new().into(),
                error: None,
                index: Some(name(index)),
                index_digest: Some(Digest([0x4c; 32])),
                index_version: Some(name(version)),
                outcome: StepOutcome::Ok,
                source: Some(name("handbook")),
                total: Some(Count(total)),
            },
            &[after],
        );
        self.text(&mut found, Role::RetrievalQuery, query);
        let mut listed = Vec::new();
        for (at, score) in scores.iter().enumerate() {
            let payload = match documents.get(at) {
                Some(text) => self.json(&mut found, Role::RetrievalDocument, text),
                None => self.absent(&mut found, Role::RetrievalDocument, Why::OverLimit),
            };
            let score_millionths = Some(Millionths(*score));
            listed.push(Document { payload, rank: at as u32 + 1, score_millionths });
        }
        if let inferlog_record::body::Body::Retrieval(body) = &mut found.body {
            body.documents = listed.into();
        }
        self.took(&mut found, 38);
        found
    }

    fn first_call(&mut self, after: &[Id]) -> Event {
        let mut call =
            self.gateway(asked(FinishReason::ToolCalls, [1_412, 118, 1_024, 64], self.registered), after);
        self.json(&mut call, Role::ParamsRequested, say::PARAMS);
        self.json(&mut call, Role::ParamsEffective, say::PARAMS_EFFECTIVE);
        self.json(&mut call, Role::InputAssembled, say::ASSEMBLED);
        self.json(&mut call, Role::OutputRaw, say::FIRST_ANSWER);
        self.took(&mut call, 1_284);
        call
    }

    /// The second request, and the calls of tools that it shows: the bureau twice.
    fn tools(&mut self, after: Id) -> (Event, Vec<Event>) {
        let bureau =
            self.tool(("credit_bureau", 1, &[after]), Err((ErrorCode::Timeout, say::BUREAU_TIMEOUT)), 2_000);
        let again = self.tool(("credit_bureau", 2, &[bureau.id]), Ok(say::BUREAU_RESULT), 412);
        let mut income = self.tool(("income_register", 1, &[after]), Ok(say::INCOME_RESULT), 0);
        let mut fraud =
            self.tool(("fraud_check", 1, &[after]), Err((ErrorCode::Unavailable, say::FRAUD_ERROR)), 0);
        // All three were asked at once.
        let asked_at = bureau.started_at;
        for (tool, ms) in [(&mut income, 188), (&mut fraud, 61)] {
            tool.started_at = asked_at;
            tool.ended_at = asked_at.map(|at| Timestamp(at.nanos() + ms * MS));
        }
        let body = DecisionJoined {
            method: Some(Method::Post),
            route: Some(name("loans")),
            wire: Some(Wire::OpenaiChat),
        };
        let mut joined = self.gateway(body, &[after]);
        self.json(&mut joined, Role::InputRaw, say::SECOND_INPUT);
        (joined, vec![bureau, again, income, fraud])
    }

    fn tool(&mut self, (tool, attempt, after): (&str, u32, &[Id]), answer: Answer<'_>, ms: u64) -> Event {
        let (outcome, error) = match answer {
            Ok(_) => (StepOutcome::Ok, None),
            Err((code, _)) => (StepOutcome::Failed, Some(code)),
        };
        let (latency_ns, version) = ((ms > 0).then_some(Count(ms * MS)), Some(name("3")));
        let body = ToolCall { attempt: Some(attempt), error, latency_ns, name: name(tool), outcome, version };
        let mut call = self.sdk(body, after);
        self.json(&mut call, Role::ToolArguments, say::ARGUMENTS);
        match answer {
            Ok(result) => self.json(&mut call, Role::ToolResult, result),
            Err((_, error)) => self.json(&mut call, Role::Error, error),
        };
        self.took(&mut call, ms);
        call
    }

    fn second_call(&mut self, after: &[Id], (input, joined): (inferlog_record::Reference, Id)) -> Event {
        let mut call =
            self.gateway(asked(FinishReason::Stop, [1_893, 241, 1_408, 96], self.registered), after);
        self.json(&mut call, Role::ParamsRequested, say::PARAMS);
        self.absent(&mut call, Role::ParamsEffective, Why::NotVisible);
        call.payloads.push(input.again(Role::InputAssembled, joined));
        self.text(&mut call, Role::OutputRaw, say::ANSWER_TEXT);
        self.took(&mut call, 2_107);
        call
    }

    /// A filter takes out what must not count, the desk words the letter, and the exchange ends.
    fn answer(&mut self, second: Id, named: &mut Named) {
        let body = Transform {
            error: None,
            name: name("proxy-filter"),
            outcome: StepOutcome::Ok,
            stage: Some(Stage::Post),
            version: Some(name("3.2")),
        };
        let mut filter = self.sdk(body, &[second]);
        self.text(&mut filter, Role::TransformIn, say::ANSWER_TEXT);
        self.text(&mut filter, Role::TransformOut, say::FILTERED_TEXT);
        self.took(&mut filter, 7);
        let identical = Identical { processed_final: Tri::False, raw_processed: Tri::False };
        let mut output = self.sdk(Output { identical }, &[filter.id]);
        self.text(&mut output, Role::OutputProcessed, say::FILTERED_TEXT);
        self.text(&mut output, Role::OutputFinal, say::FINAL_TEXT);
        self.json(&mut output, Role::Explanation, say::EXPLANATION);
        let body = DecisionClosed {
            error: None,
            exchange: Some(ExchangeEnd::Complete),
            outcome: Outcome::Answered,
            status: Some(200),
            time_to_first_byte_ns: Some(Count(5_981 * MS)),
        };
        let mut closed = self.gateway(body, &[output.id]);
        closed.ended_at = Some(Timestamp(self.sealer.world.now_ns));
        (named.output, named.closed) = (Some(output.id), Some(closed.id));
        self.write(vec![filter, output, closed]);
    }
}

fn asked(
    finish_reason: FinishReason,
    [input, output, cached, reasoning]: [u64; 4],
    [prompt, tools]: [Digest; 2],
) -> Inference {
    let count = |count| Some(Count(count));
    let usage = Usage {
        cached: count(cached),
        input: count(input),
        output: count(output),
        reasoning: count(reasoning),
    };
    let prompt = Prompt {
        name: Some(name("loan-officer")),
        payload: None,
        role: PromptRole::System,
        sha256: Some(prompt),
        version: Some(name("7")),
    };
    let tools = Toolset { name: name("loan-tools"), sha256: tools, version: name("4") };
    let model = Model {
        absent: None,
        deployment: Some(name("atlas-credit-eu-1")),
        digest: Some(Digest([0xa7; 32])),
        fingerprint: Some(name("fp_8c1f20")),
        identity: ModelIdentity::Exact,
        requested: Some(name("atlas-credit")),
        returned: Some(name("atlas-credit-70b-2026-09-14")),
        version: Some(name("2026-09-14")),
    };
    Inference {
        choices: count(1),
        error: None,
        finish_reason: Some(finish_reason),
        model,
        outcome: StepOutcome::Ok,
        prompts: vec![prompt].into(),
        status: Some(200),
        stream: Some(false),
        time_to_first_byte_ns: count(640 * MS),
        toolsets: vec![tools].into(),
        usage: Some(usage),
        wire: Some(Wire::OpenaiChat),
    }
}
