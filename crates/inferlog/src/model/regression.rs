//! Logistic regression, fitted by gradient descent.

use super::dataset::{Applicant, FEATURES, Loan};

const N: usize = FEATURES.len();
const STEPS: usize = 150;
const RATE: f64 = 0.5;

/// A fitted model: the log-odds that a loan is repaid are linear in the standardised features.
pub(crate) struct Regression {
    mean: Applicant,
    deviation: Applicant,
    weights: Applicant,
    bias: f64,
}

impl Regression {
    /// Fits the model to loans with a known end, by gradient descent on the mean log-loss.
    pub(crate) fn fit(loans: &[Loan]) -> Self {
        let count = loans.len().max(1) as f64;
        let average = |value: &dyn Fn(&Applicant, usize) -> f64| -> Applicant {
            std::array::from_fn(|i| loans.iter().map(|loan| value(&loan.applicant, i)).sum::<f64>() / count)
        };
        let mean = average(&|applicant, i| applicant[i]);
        let variance = average(&|applicant, i| (applicant[i] - mean[i]).powi(2));
        let deviation = variance.map(|variance| variance.sqrt().max(f64::EPSILON));
        let mut model = Self { mean, deviation, weights: [0.0; N], bias: 0.0 };
        for _ in 0..STEPS {
            let (mut weights, mut bias) = ([0.0; N], 0.0);
            for loan in loans {
                let error = model.probability(&loan.applicant) - f64::from(u8::from(loan.repaid));
                let standard = model.standardise(&loan.applicant);
                bias += error;
                (0..N).for_each(|i| weights[i] += error * standard[i]);
            }
            model.bias -= RATE * bias / count;
            (0..N).for_each(|i| model.weights[i] -= RATE * weights[i] / count);
        }
        model
    }

    /// Probability that the loan is repaid, 0 to 1.
    pub(crate) fn probability(&self, applicant: &Applicant) -> f64 {
        let log_odds = self.bias + self.contributions(applicant).iter().sum::<f64>();
        1.0 / (1.0 + (-log_odds).exp())
    }

    /// What each feature adds to the log-odds, compared with the average applicant.
    pub(crate) fn contributions(&self, applicant: &Applicant) -> Applicant {
        let standard = self.standardise(applicant);
        std::array::from_fn(|i| self.weights[i] * standard[i])
    }

    fn standardise(&self, applicant: &Applicant) -> Applicant {
        std::array::from_fn(|i| (applicant[i] - self.mean[i]) / self.deviation[i])
    }
}

#[cfg(test)]
mod tests {
    use super::super::dataset::loans;
    use super::*;

    #[test]
    fn it_learns_what_decides_and_holds_on_loans_it_has_not_seen() {
        let model = Regression::fit(&loans(1, 2_000));
        let [income, debt, years, late, loan] = model.weights;
        assert!(income > 0.0 && years > 0.0, "{:?}", model.weights);
        assert!(debt < 0.0 && late < 0.0 && loan < 0.0, "{:?}", model.weights);
        let unseen = loans(2, 2_000);
        let right =
            unseen.iter().filter(|loan| (model.probability(&loan.applicant) > 0.5) == loan.repaid).count();
        let common =
            unseen.iter().filter(|loan| loan.repaid).count().max(unseen.iter().filter(|l| !l.repaid).count());
        assert!(right > common + 50, "{right} right of 2000, {common} by always saying the commoner");
    }

    #[test]
    fn a_prediction_is_the_sum_of_its_contributions() {
        let loans = loans(1, 500);
        let model = Regression::fit(&loans);
        let applicant = &loans[7].applicant;
        let log_odds = model.bias + model.contributions(applicant).iter().sum::<f64>();
        let probability = model.probability(applicant);
        assert!(((probability / (1.0 - probability)).ln() - log_odds).abs() < 1e-9);
    }
}
