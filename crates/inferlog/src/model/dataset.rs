//! Loan applicants that never were: synthetic, seeded, so that every run fits the same model.

/// What the model knows of an applicant, in this order.
pub(crate) const FEATURES: [&str; 5] =
    ["income_keur", "debt_ratio", "years_employed", "late_payments", "loan_to_income"];

/// One applicant: the values of [`FEATURES`].
pub(crate) type Applicant = [f64; FEATURES.len()];

/// An applicant, and whether the loan was repaid.
pub(crate) struct Loan {
    pub(crate) applicant: Applicant,
    pub(crate) repaid: bool,
}

/// A random applicant.
pub(crate) fn applicant(rng: &mut fastrand::Rng) -> Applicant {
    // The product of two uniforms leans to the low end, as incomes do.
    let income = 14.0 + 106.0 * rng.f64() * rng.f64();
    let debt = 0.9 * rng.f64();
    let years = (30.0 * rng.f64() * rng.f64()).floor();
    let late = (6.0 * rng.f64() * rng.f64() * rng.f64()).floor();
    let loan = 0.2 + 4.8 * rng.f64();
    [income, debt, years, late, loan].map(|value| (value * 100.0).round() / 100.0)
}

/// `count` loans with a known end.
pub(crate) fn loans(seed: u64, count: usize) -> Vec<Loan> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut loan = || {
        let applicant = applicant(&mut rng);
        let [income, debt, years, late, loan] = applicant;
        // What decides in this world: means and a history of paying help, debt hurts; the rest is luck.
        let means =
            0.05 * (income - 40.0) + 0.08 * years - 3.0 * (debt - 0.4) - 0.9 * late - 0.4 * (loan - 2.0);
        let luck = (rng.f64() / (1.0 - rng.f64()).max(f64::MIN_POSITIVE)).ln();
        Loan { applicant, repaid: means + luck + 1.0 > 0.0 }
    };
    (0..count).map(|_| loan()).collect()
}
