//! What the application, the model, the tools and the people of the agentic decision said.

pub const INPUT_RAW: &str = r#"{"model":"atlas-credit","temperature":0.1,"seed":4711,"max_tokens":900,"messages":[{"role":"user","content":"I would like to borrow 18,000 euros over 60 months for a used car. I work full time as a nurse and take home 2,950 euros a month; my rent is 980 euros."}]}"#;

pub const HEADERS: &str = r#"{"content-type":"application/json","user-agent":"branch-desk/4.12"}"#;

pub const EXTERNAL_IDS: &str = r#"{"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","x-request-id":"LN-2026-88121"}"#;

pub const ENRICHED: &str = r#"{"application":{"amount_eur":18000,"term_months":60,"purpose":"car"},"applicant":{"net_income_eur":2950,"rent_eur":980,"employment":"permanent since 2019","customer_since":"2014-03","postcode":"10317"}}"#;

pub const POLICY_QUERY: &str =
    "disposable income and debt service ratio for consumer loans up to 25,000 euros";

pub const POLICY_DOCUMENTS: [&str; 2] = [
    r#"{"id":"LP-4.2","title":"Debt service ratio","text":"After rent and all instalments, the new one included, at least 450 euros of disposable income must remain for a household of one."}"#,
    r#"{"id":"LP-4.7","title":"Income evidence","text":"Income counts if the register of salaries confirms it or if three payslips are on file."}"#,
];

pub const PRODUCT_QUERY: &str = "consumer loan 60 months annual rate";

pub const PRODUCT_DOCUMENTS: [&str; 2] = [
    r#"{"id":"PT-2026-11","title":"Consumer loan, November 2026","text":"Terms of 12 to 84 months, 5.9 % effective annual rate, monthly instalments."}"#,
    r#"{"id":"PT-CAR","title":"Car loan","text":"With the vehicle as security 4.9 %; the vehicle may be at most eight years old."}"#,
];

pub const PROMPT: &str = "You prepare decisions about consumer loans for a branch of the bank.\n\nUse the lending policies that you are given and nothing else. Ask the tools for figures; never estimate them. Recommend, and say which policy decides. A person may always decide otherwise.";

pub const TOOLS: &str = r#"[{"type":"function","function":{"name":"credit_bureau","description":"Score and open credits","parameters":{"type":"object","properties":{"reference":{"type":"string"}}}}},{"type":"function","function":{"name":"income_register","description":"Confirmed income","parameters":{"type":"object","properties":{"reference":{"type":"string"}}}}},{"type":"function","function":{"name":"fraud_check","description":"Signs of fraud","parameters":{"type":"object","properties":{"reference":{"type":"string"}}}}}]"#;

pub const PARAMS: &str = r#"{"max_tokens":900,"seed":4711,"temperature":0.1}"#;
pub const PARAMS_EFFECTIVE: &str =
    r#"{"max_tokens":900,"repetition_penalty":1.05,"seed":4711,"temperature":0.1,"top_p":0.95}"#;

pub const ASSEMBLED: &str = r#"{"model":"atlas-credit","messages":[{"role":"system","content":"[registered prompt loan-officer, version 7]"},{"role":"user","content":"Application: 18,000 euros, 60 months, car. Net income 2,950 euros, rent 980 euros, permanent employment since 2019, customer since March 2014, postcode 10317. Policy LP-4.2: at least 450 euros must remain. Product PT-2026-11: 5.9 %."}],"tools":["credit_bureau","income_register","fraud_check"]}"#;

pub const FIRST_ANSWER: &str = r#"{"choices":[{"finish_reason":"tool_calls","message":{"role":"assistant","content":null,"tool_calls":[{"function":{"name":"credit_bureau","arguments":"{\"reference\":\"LN-2026-88121\"}"}},{"function":{"name":"income_register","arguments":"{\"reference\":\"LN-2026-88121\"}"}},{"function":{"name":"fraud_check","arguments":"{\"reference\":\"LN-2026-88121\"}"}}]}}],"usage":{"prompt_tokens":1412,"completion_tokens":118}}"#;

pub const FIRST_THOUGHT: &str = "Policy LP-4.2 needs the monthly instalments of other loans, LP-4.7 a confirmed income. I ask the credit bureau, the register of salaries and the fraud check before I decide.";

pub const ARGUMENTS: &str = r#"{"reference":"LN-2026-88121"}"#;
pub const BUREAU_TIMEOUT: &str =
    r#"{"code":"timeout","message":"the bureau's gateway did not answer within 2000 ms"}"#;
pub const BUREAU_RESULT: &str =
    r#"{"score":612,"open_credits":2,"monthly_instalments_eur":1211,"negative_entries":0}"#;
pub const INCOME_RESULT: &str = r#"{"confirmed":true,"net_income_eur":2950,"months":12}"#;
pub const FRAUD_ERROR: &str = r#"{"code":503,"message":"fraud check is being maintained until 14:00"}"#;

pub const SECOND_INPUT: &str = r#"{"model":"atlas-credit","messages":[{"role":"user","content":"I would like to borrow 18,000 euros …"},{"role":"assistant","tool_calls":["credit_bureau","income_register","fraud_check"]},{"role":"tool","name":"credit_bureau","content":"{\"score\":612,\"open_credits\":2,\"monthly_instalments_eur\":1211,\"negative_entries\":0}"},{"role":"tool","name":"income_register","content":"{\"confirmed\":true,\"net_income_eur\":2950,\"months\":12}"},{"role":"tool","name":"fraud_check","content":"503: fraud check is being maintained until 14:00"}]}"#;

pub const SECOND_THOUGHT: &str = "2,950 − 980 rent − 1,211 instalments − 347 for the new loan leave 412 euros; LP-4.2 asks for 450. Income is confirmed (LP-4.7). The bureau's score of 612 is above the limit of 580. The fraud check is missing but would not change a decline.";

pub const ANSWER_TEXT: &str = "Recommendation: decline.\n\nAfter rent and instalments, 412 euros a month would remain. Policy LP-4.2 asks for at least 450 euros. The credit bureau's score of 612 is sufficient, and the income is confirmed. The applicant lives in postcode 10317, where loans fail more often than elsewhere.\n\nA loan of 15,500 euros over 60 months would meet the policy.";

pub const FILTERED_TEXT: &str = "Recommendation: decline.\n\nAfter rent and instalments, 412 euros a month would remain. Policy LP-4.2 asks for at least 450 euros. The credit bureau's score of 612 is sufficient, and the income is confirmed.\n\nA loan of 15,500 euros over 60 months would meet the policy.";

pub const FINAL_TEXT: &str = "We cannot offer you the loan of 18,000 euros that you asked for.\n\nAfter rent and instalments, 412 euros a month would remain. Policy LP-4.2 asks for at least 450 euros. The credit bureau's score of 612 is sufficient, and your income is confirmed.\n\nA loan of 15,500 euros over 60 months would meet the policy.";

pub const EXPLANATION: &str = r#"{"method":"rule trace of policy LP-4","factors":[{"name":"disposable income after all instalments","value":"412 EUR","limit":"at least 450 EUR","effect":"against"},{"name":"credit bureau score","value":"612","limit":"at least 580","effect":"for"},{"name":"confirmed income","value":"2950 EUR","effect":"for"}]}"#;

pub const GUARANTOR: &str =
    r#"{"statement":"I will stand surety for the loan of my sister.","net_income_eur":3400}"#;

pub const BEFORE: &str = "We cannot offer you the loan of 18,000 euros that you asked for.\n\nAfter rent and instalments, 412 euros a month would remain.";
pub const AFTER: &str = "We can offer you the loan of 18,000 euros that you asked for.\n\nAfter rent and instalments, 742 euros a month would remain.";
pub const REASON: &str = "The credit bureau still counted the instalments of 330 euros of a loan that was repaid on 28 November; the confirmation of the repayment is on file. Without them 742 euros remain, which meets policy LP-4.2.";

pub const LABEL: &str = "no arrears after 60 days";
